//! What account mail says. One page a kind; the two templates say how it looks.

use askama::Template;
use models::account_mail::AccountMail;
use runtime::env::EmailVerification;

use super::{Rendered, words};

/// What a mail says, before it has a form. Strings of users in it are clean, not escaped.
struct Page {
    subject: &'static str,
    lead: String,
    /// What the link is called, where there is one.
    button: &'static str,
    /// What else to know: until when, and what if it was not you.
    notes: Vec<&'static str>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct Html<'a> {
    page: &'a Page,
    link: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "account.txt")]
struct Text<'a> {
    page: &'a Page,
    link: Option<&'a str>,
}

/// Renders a mail. `link` leads to the page where its token is used; `verification` decides what an account is without it.
///
/// # Errors
/// Only if a template fails, which writing to memory does not.
pub fn mail(
    mail: &AccountMail,
    verification: EmailVerification,
    link: Option<&str>,
) -> Result<Rendered, askama::Error> {
    let page = page(mail, verification);
    let html = Html { page: &page, link }.render()?;
    let text = Text { page: &page, link }.render()?;
    Ok(Rendered {
        subject: words::subject(page.subject),
        text,
        html,
    })
}

fn page(mail: &AccountMail, verification: EmailVerification) -> Page {
    match mail {
        AccountMail::VerifyEmail => verify(verification.is_required()),
        AccountMail::AddressKnown => Page {
            subject: "You already have an account",
            lead:
                "Somebody, perhaps you, wanted to use this address for an account at Pulsemon. It \
                   has one already."
                    .to_owned(),
            button: "",
            notes: vec![
                "Log in with your password. If you do not know it any more, say where you log in that you have \
                 forgotten it: a mail to this address lets you choose a new one, which also confirms the address.",
                "If it was not you, there is nothing to do: nothing has changed.",
            ],
        },
        AccountMail::AddressUnconfirmed => Page {
            subject: "Finish your registration",
            lead:
                "Somebody, hopefully you, registered at Pulsemon with this address more than once, with different \
                   passwords, before it was confirmed. None of them opens the account: choose the one that does."
                    .to_owned(),
            button: "Choose a password",
            notes: vec![
                "The link works once, for 30 minutes, and confirms the address, too. Later, say where you log in that you \
                 have forgotten the password: another mail lets you choose one.",
                "If you have not registered at Pulsemon, do nothing: nobody gets into the account without this mailbox.",
            ],
        },
        AccountMail::ResetPassword => Page {
            subject: "Choose a new password",
            lead:
                "Somebody, hopefully you, has forgotten the password of your account at Pulsemon."
                    .to_owned(),
            button: "Choose a new password",
            notes: vec![
                "The link works once, for 30 minutes. A new password ends every session and revokes every \
                 API key.",
                "If it was not you, do nothing: your password stays as it is.",
            ],
        },
        AccountMail::LeaveAddress { new_email } => leave(new_email),
        AccountMail::TakeAddress => Page {
            subject: "Confirm your new e-mail address",
            lead:
                "An account at Pulsemon is to move to this address. It moves when both addresses, \
                   the old one and this one, have confirmed."
                    .to_owned(),
            button: "Confirm this address",
            notes: vec![
                "The link works once, for 24 hours.",
                "If you have not asked for this, do nothing: without your confirmation nothing moves.",
            ],
        },
    }
}

/// Whether the account opens with it, or works already.
fn verify(opens: bool) -> Page {
    let (lead, if_not_you) = match opens {
        true => (
            "Welcome to Pulsemon. Confirm that this address is yours, then you can log in.",
            "Confirm only if it was you who chose the account's password: whoever knows it can log in then. If you have \
             not registered at Pulsemon, do nothing: without your confirmation the account stays closed. To have the \
             account all the same, say where you log in that you have forgotten the password: a mail to this address \
             lets you choose one, and the account is yours alone.",
        ),
        false => (
            "Confirm that this address is yours. Your account at Pulsemon works meanwhile.",
            "If you have not registered at Pulsemon, somebody else has, with your address. Do not \
             confirm it. Say where you log in that you have forgotten the password: a mail to this address \
             lets you choose a new one, and the account is yours alone.",
        ),
    };
    Page {
        subject: "Confirm your e-mail address",
        lead: lead.to_owned(),
        button: "Confirm this address",
        notes: vec!["The link works once, for 24 hours.", if_not_you],
    }
}

/// To the address that the account is to leave: it says how to refuse, too.
fn leave(new_email: &str) -> Page {
    Page {
        subject: "Your account is to move to another address",
        lead: format!(
            "Somebody who knows your password wants your account at Pulsemon to move from this \
                 address to {}. It moves when both addresses have confirmed.",
            words::clean(new_email)
        ),
        button: "Let it move",
        notes: vec![
            "The link works once, for 24 hours.",
            "To refuse, do not follow it: without it nothing moves. If you have not asked for \
                 this, somebody else knows your password: change it at once, which ends every other \
                 session and voids this request.",
        ],
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const LINK: &str = "https://app.test/auth/confirm-email?token=abc";

    fn told(about: &AccountMail, link: Option<&str>) -> String {
        let rendered = mail(about, EmailVerification::Required, link).unwrap();
        format!("Subject: {}\n\n{}", rendered.subject, rendered.text)
    }

    #[test]
    fn each_mail_says_what_to_do_until_when_and_what_if_it_was_not_you() {
        let with = [
            AccountMail::VerifyEmail,
            AccountMail::AddressUnconfirmed,
            AccountMail::ResetPassword,
            AccountMail::LeaveAddress {
                new_email: "new@example.test".to_owned(),
            },
            AccountMail::TakeAddress,
        ];
        let mut all: Vec<String> = with.iter().map(|mail| told(mail, Some(LINK))).collect();
        all.push(told(&AccountMail::AddressKnown, None));
        assert_snapshot!(all.join("\n====\n"));
    }

    #[test]
    fn a_confirmation_opens_an_account_only_where_it_is_required() {
        let text = |verification| {
            let rendered = mail(&AccountMail::VerifyEmail, verification, Some(LINK)).unwrap();
            rendered.text
        };
        let (off, required) = (
            text(EmailVerification::Off),
            text(EmailVerification::Required),
        );
        for promise in ["then you can log in", "the account stays closed"] {
            assert!(!off.contains(promise) && required.contains(promise));
        }
        assert!(off.contains("works meanwhile"), "{off}");
        // There is none but a frontend's, if that.
        assert!(!off.contains("page"), "{off}");
    }

    #[test]
    fn what_a_user_typed_is_escaped_in_html_and_the_link_is_whole() {
        let about = AccountMail::LeaveAddress {
            new_email: "a&b'<c>\u{202e}@example.test".to_owned(),
        };
        let rendered = mail(&about, EmailVerification::Off, Some(LINK)).unwrap();
        assert!(!rendered.html.contains("<c>") && !rendered.html.contains('\u{202e}'));
        assert!(
            rendered.html.contains(&format!("href=\"{LINK}\"")),
            "{}",
            rendered.html
        );
        assert!(rendered.text.contains(LINK));
        let none = mail(&AccountMail::AddressKnown, EmailVerification::Off, None).unwrap();
        assert!(!none.html.contains("href"));
    }
}
