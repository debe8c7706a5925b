//! What a person sees when everything runs.

use std::path::PathBuf;

/// What the banner tells.
#[derive(Debug)]
pub(super) struct Facts {
    /// The api, without a slash at its end.
    pub(super) address: String,
    /// Where mail goes.
    pub(super) mail: String,
    /// The data folder.
    pub(super) data: PathBuf,
    /// The file with the processes' environment.
    pub(super) settings: PathBuf,
    /// The demo target's URL.
    pub(super) demo: Option<String>,
    /// An e-mail address that nobody has registered.
    pub(super) user: String,
    /// Nobody logs in before he confirmed his address.
    pub(super) must_confirm: bool,
}

/// A password that the api takes: 8 characters or more.
const PASSWORD: &str = "first-light";

/// Addresses, and commands that work as they stand.
pub(super) fn text(facts: &Facts) -> String {
    let Facts {
        address,
        mail,
        data,
        settings,
        demo,
        user,
        must_confirm,
    } = facts;
    let url = demo.as_deref().unwrap_or("https://example.com/");
    let credentials = format!(r#"'{{"email":"{user}","password":"{PASSWORD}"}}'"#);
    let service = format!(r#"'{{"name":"Demo","url":"{url}","interval":"10s"}}'"#);
    let confirm = match must_confirm {
        true => {
            "\nEMAIL_VERIFICATION=required: follow the link in the mail that this sends, or the login is a 403.\n\n"
        }
        false => "",
    };
    let line = "=".repeat(72);
    format!(
        r#"
{line}
Pulsemon is up. Ctrl-C stops it; the data stays.

  API   {address}/api/v1
  Mail  {mail}
  Data  {data}
  More  another api, or psql, by hand: docs/operating.md and {settings}

Register, log in and watch {url}

  curl -s {address}/api/v1/auth/register -H 'content-type: application/json' -d {credentials}; echo
{confirm}  TOKEN=$(curl -s {address}/api/v1/auth/login -H 'content-type: application/json' -d {credentials} | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
  curl -s {address}/api/v1/services -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d {service}; echo

A second later its first result is here:

  curl -s {address}/api/v1/dashboard -H "authorization: Bearer $TOKEN"; echo
{line}"#,
        data = data.display(),
        settings = settings.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(demo: Option<&str>) -> Facts {
        Facts {
            address: "http://127.0.0.1:8080".to_owned(),
            mail: "written into /data/outbox".to_owned(),
            data: "/data".into(),
            settings: "/data/settings".into(),
            demo: demo.map(str::to_owned),
            user: "you-1@example.com".to_owned(),
            must_confirm: false,
        }
    }

    #[test]
    fn where_addresses_have_to_be_confirmed_the_banner_says_so_before_the_login() {
        let says = |must_confirm| {
            let facts = Facts {
                must_confirm,
                ..facts(None)
            };
            let text = text(&facts);
            text.find("follow the link")
                .map(|at| at < text.find("TOKEN=").unwrap())
        };
        assert_eq!((says(true), says(false)), (Some(true), None));
    }

    #[test]
    fn the_banner_names_address_mail_and_data() {
        let text = text(&facts(Some("https://127.0.0.1:4/")));
        for part in [
            "http://127.0.0.1:8080/api/v1",
            "/data/outbox",
            "Data  /data",
            "/data/settings",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(text.contains(r#""url":"https://127.0.0.1:4/""#));
    }

    #[test]
    fn without_the_demo_the_commands_still_have_something_to_watch() {
        assert!(text(&facts(None)).contains(r#""url":"https://example.com/""#));
    }

    #[test]
    fn a_shell_takes_the_commands_as_they_stand() {
        let commands: String = text(&facts(Some("https://127.0.0.1:4/")))
            .lines()
            .filter(|line| line.starts_with("  curl") || line.starts_with("  TOKEN"))
            .map(|line| format!("{line}\n"))
            .collect();
        // A curl that prints the JSON it was given, and a token where it logs in.
        let fake = r#"curl() { case "$*" in *login*) echo '{"access_token":"t.o.k","x":1}';; *) echo "$@";; esac; }"#;
        let output = std::process::Command::new("sh")
            .args(["-eu", "-c", &format!("{fake}\n{commands}")])
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{:?}", output.stderr);
        assert!(out.contains("authorization: Bearer t.o.k"), "{out}");
        assert!(out.contains(r#"{"email":"you-1@example.com","password":"first-light"}"#));
    }
}
