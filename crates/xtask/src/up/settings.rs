//! The environment of the processes: the user's, and ours where the user said nothing.

use std::path::Path;

use anyhow::Context;

use crate::secrets::Secrets;

/// Secrets that are made when the user has none.
const GENERATED: [&str; 3] = ["JWT_SECRET", "JOB_SIGNING_KEY", "SECRETS_KEY"];

/// What is set on top of the launcher's own environment, which every child inherits.
#[derive(Debug)]
pub(super) struct Settings {
    users: fn(&str) -> Option<String>,
    ours: Vec<(String, String)>,
}

impl Settings {
    /// `users` reads the environment that the user started us with.
    pub(super) fn new(users: fn(&str) -> Option<String>) -> Self {
        Self {
            users,
            ours: Vec::new(),
        }
    }

    /// What the user set.
    pub(super) fn users(&self, name: &str) -> Option<String> {
        (self.users)(name)
    }

    /// Sets a variable, whatever the user said.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.ours.retain(|(known, _)| known != name);
        self.ours.push((name.to_owned(), value.into()));
    }

    /// Sets a variable, unless the user did, directly or through a file.
    pub(super) fn default(&mut self, name: &str, value: &str) {
        if !self.users_set(name) {
            self.set(name, value);
        }
    }

    /// Makes the secrets that the user has not set.
    pub(super) fn secrets(&mut self, secrets: &mut Secrets) -> anyhow::Result<()> {
        for name in GENERATED {
            if !self.users_set(name) {
                self.set(name, secrets.secret(name)?);
            }
        }
        Ok(())
    }

    /// Adds to the user's list of networks that may be probed.
    pub(super) fn allow_probes(&mut self, cidr: &str) {
        let list = match self.users("PROBE_ALLOW_CIDRS") {
            Some(users) => format!("{users},{cidr}"),
            None => cidr.to_owned(),
        };
        self.set("PROBE_ALLOW_CIDRS", list);
    }

    /// Adds to the user's extra certificate authorities; both together are written to `file`.
    pub(super) fn trust(&mut self, ca: &Path, file: &Path) -> anyhow::Result<()> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
        };
        let mut bundle = read(ca)?;
        if let Some(users) = self.users("PROBE_EXTRA_CA_FILE") {
            bundle.push('\n');
            bundle.push_str(&read(Path::new(&users))?);
        }
        std::fs::write(file, bundle).with_context(|| format!("write {}", file.display()))?;
        self.set("PROBE_EXTRA_CA_FILE", file.to_string_lossy());
        Ok(())
    }

    /// Where mail goes, for the banner.
    pub(super) fn mail(&self) -> String {
        if self.users_set("RESEND_API_KEY") {
            return "sent through Resend".to_owned();
        }
        if self.users_set("SMTP_URL") {
            return "sent through SMTP_URL".to_owned();
        }
        format!("written into {}", self.value("OUTBOX_DIR"))
    }

    /// Where the api answers, for a browser on this machine.
    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.value("APP_PORT"))
    }

    /// What a child will see: ours goes over the user's. Empty where nobody set it.
    fn value(&self, name: &str) -> String {
        let ours = self.ours.iter().find(|(known, _)| known == name);
        ours.map(|(_, value)| value.clone())
            .or_else(|| self.users(name))
            .unwrap_or_default()
    }

    /// All variables that are set here.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ours
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn users_set(&self, name: &str) -> bool {
        self.users(name).is_some() || self.users(&format!("{name}_FILE")).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    fn some(name: &str) -> Option<String> {
        let value = match name {
            "PROBE_ALLOW_CIDRS" => "10.0.0.0/8",
            "JWT_SECRET_FILE" => "/run/secrets/jwt",
            "SMTP_URL" => "smtp://mail",
            "APP_BASE_URL" => "https://status.example.com",
            "APP_PORT" => "81",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn value<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
        settings.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    #[test]
    fn what_the_user_set_stays() {
        let mut settings = Settings::new(some);
        settings.default("APP_BASE_URL", "http://127.0.0.1:1");
        settings.default("JWT_SECRET", "ours");
        assert_eq!(settings.iter().count(), 0);
        assert_eq!(settings.mail(), "sent through SMTP_URL");
        assert_eq!(settings.address(), "http://127.0.0.1:81");
    }

    #[test]
    fn the_demo_target_is_added_to_what_the_user_allows() {
        let mut settings = Settings::new(some);
        settings.allow_probes("127.0.0.1/32:4");
        assert_eq!(
            value(&settings, "PROBE_ALLOW_CIDRS"),
            Some("10.0.0.0/8,127.0.0.1/32:4")
        );
        let mut settings = Settings::new(nothing);
        settings.allow_probes("127.0.0.1/32:4");
        assert_eq!(
            value(&settings, "PROBE_ALLOW_CIDRS"),
            Some("127.0.0.1/32:4")
        );
    }

    #[test]
    fn without_a_provider_mail_goes_into_the_outbox_that_is_named() {
        let mut settings = Settings::new(nothing);
        settings.default("OUTBOX_DIR", "/data/outbox");
        assert_eq!(settings.mail(), "written into /data/outbox");
    }

    #[test]
    fn setting_twice_leaves_the_last() {
        let mut settings = Settings::new(nothing);
        settings.set("A", "1");
        settings.set("A", "2");
        assert_eq!(settings.iter().collect::<Vec<_>>(), [("A", "2")]);
    }
}
