//! The processes' environment as a shell reads it: for one more copy that somebody starts by hand, and for `psql`.

use std::fmt::Write as _;

use super::settings::Settings;

/// Names every setting.
const EXAMPLE: &str = include_str!("../../../../.env.example");

/// All that is set, by the user or by us, one assignment a line.
pub(super) fn text(settings: &Settings) -> String {
    let users = names()
        .flat_map(|name| [name.to_owned(), format!("{name}_FILE")])
        .filter_map(|name| settings.users(&name).map(|value| (name, value)));
    let ours = settings
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    // Ours stand last: they go over the user's.
    users
        .chain(ours)
        .fold(String::new(), |mut text, (name, value)| {
            writeln!(text, "{name}='{}'", value.replace('\'', r"'\''")).unwrap_or_default(); // a string takes all
            text
        })
}

fn names() -> impl Iterator<Item = &'static str> {
    EXAMPLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_set_and_ours_goes_over_the_users() {
        let users = |name: &str| match name {
            "SERVICE_QUOTA" => Some("10".to_owned()),
            "SMTP_URL_FILE" => Some("/it's here".to_owned()),
            "APP_PORT" => Some("1".to_owned()),
            _ => None,
        };
        let mut settings = Settings::new(users);
        settings.set("APP_PORT", "8080");
        settings.set("DATABASE_URL", "postgres://u:p@h/$d?a='b'");
        let script = format!(
            "{}printf '%s|' \"$SERVICE_QUOTA\" \"$SMTP_URL_FILE\" \"$APP_PORT\" \"$DATABASE_URL\"",
            text(&settings)
        );
        let output = std::process::Command::new("sh")
            .args(["-euc", &script])
            .output()
            .unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        assert_eq!(read, "10|/it's here|8080|postgres://u:p@h/$d?a='b'|");
    }
}
