//! The users in the panel: added by a link that is shown once, given roles, and never without an administrator.

use crate::panel::{PASSWORD, Panel, check_headers, set_up};
use crate::panel_pages::with_role;
use serde_json::json;

#[test]
fn a_user_is_added_by_a_link_that_is_shown_once() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    check_headers(&browser.get("/users"));
    let wrong = browser.post_signed("/users", &[("name", "no name"), ("role", "auditor")]);
    assert!(wrong.status == 422 && wrong.body.contains("id=\"add-name-error\""), "{wrong:?}");
    let given = [("name", "ben"), ("role", "auditor")];
    let asked = browser.post_signed("/users", &given);
    assert!(asked.status == 200 && asked.body.contains("present_password"), "{asked:?}");
    let made = browser.post_proven("/users", &given, ("", PASSWORD, panel.code(1)));
    assert_eq!(made.status, 200);
    check_headers(&made);
    let (_, rest) = made.body.split_once("/setup/").unwrap();
    let link = rest[..64].to_owned();
    assert!(!browser.get("/users").body.contains(&link));
    set_up(&mut panel.browser(), &link);
    let users = panel.site.json(&["user", "list"]);
    assert_eq!(
        (&users[1]["name"], &users[1]["role"], &users[1]["state"]),
        (&json!("ben"), &json!("auditor"), &json!("good"))
    );
    let again = browser.post_proven("/users", &given, ("", "", ""));
    assert!(again.status == 422 && again.body.contains("There is a user"), "{again:?}");

    let mut act =
        |path: &str, fields: &[(&str, &str)]| browser.post_proven(path, fields, ("", "", "")).status;
    assert_eq!(act("/users/set", &[("name", "ben"), ("role", "operator")]), 303);
    assert_eq!(act("/users/set", &[("name", "ben"), ("enabled", "no")]), 303);
    let user = || panel.site.json(&["user", "list"])[1].clone();
    assert_eq!((&user()["role"], &user()["state"]), (&json!("operator"), &json!("disabled")));
    assert_eq!(act("/users/reset", &[("name", "ben")]), 200);
    assert_eq!(act("/users/unlock", &[("name", "ben")]), 303);
    assert_eq!(act("/users/remove", &[("name", "ben")]), 303);
    assert_eq!(panel.site.json(&["user", "list"]).as_array().unwrap().len(), 1);
    // The last administrator stays.
    assert_eq!(act("/users/remove", &[("name", "anna")]), 409);
    assert_eq!(act("/users/set", &[("name", "anna"), ("role", "auditor")]), 409);
    let row = &panel.site.json(&["audit", "list", "--act", "user remove"])[0];
    assert_eq!((&row["actor"], &row["way"]), (&json!("anna"), &json!("panel")));
}

#[test]
fn only_an_administrator_changes_users() {
    let panel = Panel::new();
    for (role, status) in [("auditor", 200), ("operator", 403)] {
        let mut browser = with_role(&panel, role);
        assert_eq!(browser.get("/users").status, status, "{role}");
        for path in ["/users", "/users/set", "/users/reset", "/users/unlock", "/users/remove"] {
            let fields = [("name", "anna"), ("role", "auditor")];
            assert_eq!(browser.post_signed(path, &fields).status, 403, "{role}: {path}");
        }
    }
    assert_eq!(panel.site.json(&["user", "list"])[0]["role"], "administrator");
}
