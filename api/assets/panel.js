// An improvement for browsers with JavaScript; each page works without it. A live page fetches itself every five seconds
// while it is visible, and replaces its parts with the new ones. It shows a notice when it cannot. Lines can be copied.
'use strict';
(() => {
  const body = document.body;
  if (!('live' in body.dataset)) return;
  const EVERY = 5000;
  let failures = 0;
  let last = document.getElementById('time').textContent;

  const stale = (isStale) => {
    const notice = document.getElementById('stale');
    notice.hidden = !isStale;
    notice.textContent = isStale ? `${body.dataset.stale} ${last}` : '';
  };

  const replace = (fresh) => {
    for (const part of document.querySelectorAll('[data-part]')) {
      // A part that has the focus of the keyboard is not replaced.
      if (part.contains(document.activeElement)) continue;
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (other && other.innerHTML !== part.innerHTML) part.replaceWith(document.adoptNode(other));
    }
    last = fresh.getElementById('time').textContent;
    document.getElementById('time').textContent = last;
  };

  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { 'Os4x-Poll': '1' }, redirect: 'manual', cache: 'no-store' });
      // The session is over, or the subject of the page is, for example a change that was confirmed elsewhere.
      if (answer.status === 401 || answer.type === 'opaqueredirect') return location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      replace(new DOMParser().parseFromString(await answer.text(), 'text/html'));
      failures = 0;
      stale(false);
    } catch {
      failures += 1;
      if (failures > 1) stale(true);
    }
  };

  setInterval(look, EVERY);
})();

// Buttons that copy lines. Without JavaScript they are not shown.
(() => {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.parentElement.hidden = false;
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = button.dataset.copied;
    });
  }
})();
