//! Acts on the users of the panel: links, roles, and the rule that one administrator must be left. A login is not an
//! act.

use super::{Act, ChangeError, Obstacle};
use crate::credentials::{hash_of, random_text, totp};
use crate::store::users::{self, Role, User};
use crate::store::{panel_sessions, setup_links};
use common::text::host::is_short_name;
use serde_json::json;

/// A one-time link: its secret part, and its last second.
pub(crate) struct NewLink {
    pub(crate) text: String,
    pub(crate) until: i64,
}

/// The one spelling of a user's name.
pub(crate) fn name_of(text: &str) -> Result<String, ChangeError> {
    let name = text.to_ascii_lowercase();
    if is_short_name(&name) {
        return Ok(name);
    }
    Err(Obstacle::UserName(text.to_owned()).into())
}

/// The user of this name, or an error.
pub(crate) async fn need(act: &mut Act, text: &str) -> Result<User, ChangeError> {
    let name = name_of(text)?;
    users::get(act, &name).await?.ok_or_else(|| Obstacle::NoUser(name).into())
}

/// Adds a user; gives the link for it.
pub(crate) async fn add(act: &mut Act, text: &str, role: Role) -> Result<NewLink, ChangeError> {
    let name = name_of(text)?;
    if users::get(act, &name).await?.is_some() {
        return Err(Obstacle::UserExists(name).into());
    }
    users::add(act, &name, role).await?;
    link(act, &name).await
}

/// Deletes password, app and codes of a user, ends the user's sessions, and gives a link to set them again.
pub(crate) async fn reset(act: &mut Act, text: &str) -> Result<NewLink, ChangeError> {
    let user = need(act, text).await?;
    users::prove(act, &user.name, None).await?;
    users::unlock(act, &user.name).await?;
    panel_sessions::end_others(act, &user.name, "").await?;
    link(act, &user.name).await
}

async fn link(act: &mut Act, name: &str) -> Result<NewLink, ChangeError> {
    let text = random_text()?;
    let secret = totp::new_secret()?;
    let until = setup_links::put(act, name, &hash_of(&text), &secret).await?;
    Ok(NewLink { text, until })
}

/// Sets a user's role, and whether the user may log in. An open session has the new role from its next page on.
pub(crate) async fn set(
    act: &mut Act,
    text: &str,
    role: Option<Role>,
    enabled: Option<bool>,
) -> Result<User, ChangeError> {
    let mut user = need(act, text).await?;
    (user.role, user.enabled) = (role.unwrap_or(user.role), enabled.unwrap_or(user.enabled));
    users::set(act, &user.name, user.role, user.enabled).await?;
    if !user.enabled {
        panel_sessions::end_others(act, &user.name, "").await?;
    }
    need_administrator(act).await?;
    Ok(user)
}

/// Unlocks a user who has failed too often.
pub(crate) async fn unlock(act: &mut Act, text: &str) -> Result<User, ChangeError> {
    let user = need(act, text).await?;
    if user.locked_until > 0 || user.failed > 0 {
        users::unlock(act, &user.name).await?;
        act.note(format!("lock {}", user.name), json!({"failed": user.failed, "taken_away": true}));
    }
    Ok(user)
}

/// Removes a user, with sessions and link.
pub(crate) async fn remove(act: &mut Act, text: &str) -> Result<User, ChangeError> {
    let user = need(act, text).await?;
    users::remove(act, &user.name).await?;
    setup_links::remove(act, &user.name).await?;
    panel_sessions::end_others(act, &user.name, "").await?;
    need_administrator(act).await?;
    Ok(user)
}

/// Refuses a change that would leave the panel without an administrator, if there was one.
async fn need_administrator(act: &mut Act) -> Result<(), ChangeError> {
    let had = act.before().iter().any(|(name, value)| {
        name.starts_with("user ")
            && value["role"] == json!(Role::Administrator)
            && value["enabled"] == json!(true)
    });
    let has = users::all(act).await?.iter().any(|user| user.role == Role::Administrator && user.enabled);
    if had && !has {
        return Err(Obstacle::LastAdministrator.into());
    }
    Ok(())
}
