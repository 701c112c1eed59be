//! What a stranger can negotiate at the TLS port, tested with the tools of administrators: sslyze and `openssl
//! s_client`. Nothing below TLS 1.2, only forward secrecy and AEAD, no renegotiation, no resumption, no early data.
//! Each scan is logged, and affects nobody.

use oftp2peer::ca::{Key, Request};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use t::binaries;
use t::s_client::s_client;
use t::site::{Builder, Role, Site};

/// A site with an RSA key, which weak suites would need, and the certificate for the scans: a good one that belongs to
/// nobody in the partner table, so that nothing else happens in the session.
struct Target {
    site: Site,
    certificate: String,
    key: String,
}

impl Target {
    fn start(name: &str) -> Self {
        let builder = Builder::new(name)
            .setting("proxy_unverified_per_address", "90")
            .setting("proxy_unverified_hard", "500")
            .setting("proxy_unverified_soft", "500");
        let mut site = builder.prepare().unwrap();
        let own = Request { key: Key::Rsa(2048), ..Request::new("rsa").host(&site.address.to_string()) };
        let own = site.authority.issue(&own).unwrap();
        let chain = site.file("rsa.pem", &own.certificate_pem().unwrap()).unwrap();
        let key = site.file("rsa.key", &own.key_pem().unwrap()).unwrap();
        site.api(&["cert", "set", "--chain", &chain, "--key", &key]).unwrap();
        let stranger = site.certificate("stranger", "O0013STRANGER").unwrap();
        let certificate = site.file("stranger.pem", &stranger.certificate_pem().unwrap()).unwrap();
        let key = site.file("stranger.key", &stranger.key_pem().unwrap()).unwrap();
        site.launch().unwrap();
        Self { site, certificate, key }
    }

    /// The output of `openssl s_client` with `options`; see that function.
    fn s_client(&self, options: &str, input: &str) -> String {
        let shown = ["-cert", &self.certificate, "-key", &self.key];
        s_client(self.site.tls, &options.split(' ').chain(shown).collect::<Vec<_>>(), input).unwrap()
    }

    /// Ends the site, after a check that it still works.
    #[track_caller]
    fn end(self) {
        self.site.assert_works();
        self.site.end();
    }
}

/// The Python that has sslyze.
fn python() -> PathBuf {
    let made_by_check = || {
        binaries::path("os4x_proxyserver2").parent()?.parent().map(|target| target.join("sslyze/bin/python"))
    };
    let python = std::env::var_os("OS4X_SSLYZE").map(PathBuf::from).or_else(made_by_check).unwrap();
    assert!(
        python.is_file(),
        "{} is missing: run scripts/check tests, which installs sslyze there, \
         or name a Python that has it in OS4X_SSLYZE",
        python.display()
    );
    python
}

/// The findings of sslyze about the TLS port.
fn sslyze(target: &Target) -> Value {
    let report = target.site.directory().join("sslyze.json");
    let output = Command::new("timeout")
        .arg("240")
        .arg(python())
        .args(["-m", "sslyze", "--quiet", "--mozilla_config=disable", "--json_out"])
        .arg(&report)
        .args(["--cert", &target.certificate, "--key", &target.key])
        .args([
            "--sslv2",
            "--sslv3",
            "--tlsv1",
            "--tlsv1_1",
            "--tlsv1_2",
            "--tlsv1_3",
            "--early_data",
            "--reneg",
        ])
        .args(["--resum", "--compression", "--heartbleed", "--openssl_ccs", "--robot"])
        .arg(target.site.tls.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let scan = &report["server_scan_results"][0];
    assert_eq!(scan["scan_status"], "COMPLETED", "{scan}");
    scan["scan_result"].clone()
}

#[test]
fn sslyze_finds_nothing_to_complain_of() {
    let target = Target::start("sslyze");
    let scan = sslyze(&target);
    let result = |command: &str| {
        assert_eq!(scan[command]["status"], "COMPLETED", "{command}: {}", scan[command]);
        &scan[command]["result"]
    };
    let accepted = |version: &str| -> Vec<String> {
        let suites = &result(&format!("{version}_cipher_suites"))["accepted_cipher_suites"];
        suites
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["cipher_suite"]["name"].as_str().unwrap().into())
            .collect()
    };
    for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
        assert_eq!(accepted(version), [""; 0], "{version}");
    }
    let (of_1_2, of_1_3) = (accepted("tls_1_2"), accepted("tls_1_3"));
    for name in &of_1_2 {
        assert!(name.starts_with("TLS_ECDHE_RSA_") || name.starts_with("TLS_DHE_RSA_"), "{of_1_2:?}");
    }
    for name in of_1_2.iter().chain(&of_1_3) {
        assert!(name.contains("_GCM_") || name.contains("_CHACHA20_POLY1305"), "{name}");
    }
    assert!(!of_1_3.is_empty());
    for exchange in ["TLS_ECDHE_", "TLS_DHE_"] {
        assert!(of_1_2.iter().any(|name| name.starts_with(exchange)), "{exchange}: {of_1_2:?}");
    }
    for (command, fact, value) in [
        ("session_renegotiation", "supports_secure_renegotiation", Value::from(true)),
        ("session_renegotiation", "client_renegotiations_success_count", 0.into()),
        ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos", false.into()),
        ("session_resumption", "session_id_attempted_resumptions_count", 5.into()),
        ("session_resumption", "session_id_successful_resumptions_count", 0.into()),
        ("session_resumption", "tls_ticket_attempted_resumptions_count", 5.into()),
        ("session_resumption", "tls_ticket_successful_resumptions_count", 0.into()),
        ("tls_compression", "supports_compression", false.into()),
        ("tls_1_3_early_data", "supports_early_data", false.into()),
        ("heartbleed", "is_vulnerable_to_heartbleed", false.into()),
        ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection", false.into()),
        ("robot", "robot_result", "NOT_VULNERABLE_RSA_NOT_SUPPORTED".into()),
    ] {
        assert_eq!(result(command)[fact], value, "{command}");
    }
    target.end();
}

#[test]
fn s_client_gets_the_alert_that_fits_what_it_offers() {
    let mut target = Target::start("s-client-offers");
    for (options, alert) in [
        ("-tls1 -cipher ALL:@SECLEVEL=0", 70),
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", 70),
        ("-tls1_2 -cipher ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA:@SECLEVEL=0", 40),
        ("-tls1_2 -cipher kRSA:@SECLEVEL=0", 40),
        ("-tls1_2 -cipher aNULL:@SECLEVEL=0", 40),
        ("-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256", 40),
    ] {
        let mark = target.site.mark(Role::Server);
        let said = target.s_client(options, "");
        assert!(said.contains(&format!("SSL alert number {alert}\n")), "{options}: {said}");
        target.site.wait_log_after(Role::Server, mark, "session_refused*reason=protocol*address=127.0.0.1");
    }
    target.end();
}

#[test]
fn no_session_is_resumed_and_none_renegotiated() {
    let target = Target::start("s-client-sessions");
    for version in ["-tls1_2", "-tls1_3"] {
        // With a stored session, it could begin the next one with early data.
        let session = target.site.directory().join("session.pem");
        let said = target.s_client(&format!("{version} -sess_out {}", session.display()), "");
        assert!(said.contains("ODETTE FTP READY") && said.contains("New, TLSv1."), "{said}");
        assert!(!Path::new(&session).exists(), "{version}: {}", fs::read_to_string(&session).unwrap());
        let said = target.s_client(&format!("{version} -reconnect"), "");
        assert_eq!(
            (said.matches("New, TLSv1.").count(), said.contains("Reused")),
            (6, false),
            "{version}: {said}"
        );
    }
    let said = target.s_client("-tls1_2", "R\n");
    assert!(said.contains("\nRENEGOTIATING\n"), "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
    target.end();
}
