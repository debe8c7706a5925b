//! Every kind of failure that a client can meet: slug, status, and what to do about it.
//!
//! One table: [`crate::error::Problem`] can be made of nothing else, `/problems/<slug>` shows it to people, and the
//! OpenAPI document names the kinds of every operation.

use actix_web::http::StatusCode;

/// One kind of failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// Its name in `type`: `/problems/<slug>`. Never changes.
    pub(crate) slug: &'static str,
    /// The answer's status.
    pub(crate) status: StatusCode,
    /// One line for people; the same for every occurrence.
    pub(crate) title: &'static str,
    /// When it happens.
    pub(crate) meaning: &'static str,
    /// What the client should do.
    pub(crate) remedy: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $status:ident $slug:literal $title:literal, $meaning:literal, $remedy:literal;)+) => {
        $(
            #[doc = $title]
            pub(crate) static $name: Kind = Kind {
                slug: $slug,
                status: StatusCode::$status,
                title: $title,
                meaning: $meaning,
                remedy: $remedy,
            };
        )+

        /// All of them, by status.
        pub(crate) static ALL: &[&Kind] = &[$(&$name),+];
    };
}

kinds! {
    MALFORMED = BAD_REQUEST "malformed-request" "The request could not be read",
        "The body is not JSON, the query is not percent-encoded UTF-8, or a cursor does not belong to this list.",
        "Mend the request; sent again as it is, it will fail again. A cursor is used as it was given, with the filters and the account that it was given for, within a day.";
    INVALID_LINK = BAD_REQUEST "invalid-link" "This link does not work",
        "The token of a mailed link was used already, has expired, was replaced by that of a newer mail, or is for something else. One answer for all of these.",
        "Ask for a new mail, and use the newest.";
    UNAUTHORIZED = UNAUTHORIZED "unauthorized" "Authentication is required",
        "There is no token, or it is malformed, expired or revoked, or its account is locked or gone. One answer for all of these.",
        "Send `Authorization: Bearer <token>`. Where it worked before, refresh the token or log in again.";
    INVALID_CREDENTIALS = UNAUTHORIZED "invalid-credentials" "The e-mail address or the password is wrong",
        "The pair does not match. An address without an account gets the same answer.",
        "Ask for the password again. A forgotten one is reset by mail.";
    INVALID_REFRESH_TOKEN = UNAUTHORIZED "invalid-refresh-token" "The refresh token does not hold",
        "It is unknown, expired, revoked, or was used before. A token that comes twice ends its whole family.",
        "Log in again. Store the newest refresh token before you use it, and use each once.";
    EMAIL_NOT_VERIFIED = FORBIDDEN "email-not-verified" "The e-mail address is not confirmed",
        "This installation opens an account when its address is confirmed. A login tells so only after the right password.",
        "Follow the link in the mail, or ask for another one: `POST /api/v1/auth/resend-verify`.";
    ADMINS_ONLY = FORBIDDEN "admins-only" "Only admins may do this",
        "The token holds, and its account is not an admin's.",
        "Log in as an admin.";
    SESSION_REQUIRED = FORBIDDEN "session-required" "A key does not open this",
        "The request shows an API key, and keys open services and dashboards only.",
        "Log in and use an access token: accounts, keys and administration are for people.";
    INSUFFICIENT_SCOPE = FORBIDDEN "insufficient-scope" "This key may only read",
        "The API key has the scope `read`, and the request would change something.",
        "Use a key with the scope `write`.";
    NOT_FOUND = NOT_FOUND "not-found" "Not found",
        "There is nothing at this address for you: it does not exist, the id is malformed, or it is somebody else's. One answer for all of these.",
        "Check the address and whose token you send.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "Method not allowed",
        "The resource exists and does not answer to this method.",
        "The `Allow` header lists what it answers to.";
    DUPLICATE_EMAIL = CONFLICT "duplicate-email" "This e-mail address has an account",
        "Addresses are compared without case.",
        "Log in, or use another address.";
    DUPLICATE_USERNAME = CONFLICT "duplicate-username" "This user name is taken",
        "User names are compared without case, and letters of another width or style are the plain ones.",
        "Choose another user name.";
    DUPLICATE_URL = CONFLICT "duplicate-url" "You watch this URL already",
        "One of your services has this URL in its normal form: a fragment is dropped, the host is lower case and in punycode.",
        "Change that service instead.";
    QUOTA_EXCEEDED = CONFLICT "quota-exceeded" "All your active services are in use",
        "An account has a number of active services; paused ones hold no place. Creating or resuming one more is refused.",
        "Pause or delete a service first. `GET /api/v1/auth/me` shows limit and use.";
    SERVICE_LIMIT = CONFLICT "service-limit" "You have too many services",
        "Paused services count too: ten times the number of active ones is the most.",
        "Delete a service first.";
    SERVICE_PAUSED = CONFLICT "service-paused" "The service is paused",
        "A paused service is not probed, not even on demand.",
        "Resume it first: `PATCH` it with `{\"is_active\": true}`.";
    IDEMPOTENCY_KEY_IN_USE = CONFLICT "idempotency-key-in-use" "A request with this key is being worked on",
        "The first request with this `Idempotency-Key` has not ended yet.",
        "Send the same request again after the seconds in `Retry-After`: it gets the first one's answer.";
    PRECONDITION_FAILED = PRECONDITION_FAILED "precondition-failed" "The service has changed meanwhile",
        "`If-Match` names a version that is not the current one: somebody has changed the service since you read it.",
        "Read it again, apply your change to what is there now, and send it with the new `ETag`.";
    API_KEY_LIMIT = CONFLICT "api-key-limit" "You have too many keys",
        "An account has 20 API keys at most, expired ones among them.",
        "Revoke one that nobody uses: `GET /api/v1/api-keys` shows when each was used last.";
    API_KEY_EXPIRED = CONFLICT "api-key-expired" "The key has expired",
        "A rotation keeps a key's end, so another secret would not hold either.",
        "Make a new key: `POST /api/v1/api-keys`. The expired one still counts until it is revoked.";
    OWN_ACCOUNT = CONFLICT "own-account" "You can not lock yourself out",
        "An admin asked to lock the account that asks.",
        "Another admin may lock it.";
    LAST_ADMIN = CONFLICT "last-admin" "The last admin stays",
        "The account that is to be deleted or locked is the only admin's that is not locked, and nobody could administer the installation without it.",
        "Unlock another admin first. New ones are made by whoever runs the database: `UPDATE users SET role = 'admin' WHERE email_key = 'name@example.com'`, in lower case; the account has to be there, and its owner's next request is an admin's.";
    TOO_LARGE = PAYLOAD_TOO_LARGE "body-too-large" "The body is too large",
        "A body may have at most 64 KiB.",
        "Send less.";
    UNSUPPORTED_MEDIA_TYPE = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "Unsupported media type",
        "Bodies are JSON in UTF-8, uncompressed.",
        "Send `Content-Type: application/json`.";
    VALIDATION_FAILED = UNPROCESSABLE_ENTITY "validation-failed" "Some fields are not right",
        "Fields of the body or the query are missing, unknown, repeated, of the wrong type or out of range. `errors` lists every one of them.",
        "Mend the fields that `errors` names; each message follows the field's name.";
    URL_NOT_ALLOWED = UNPROCESSABLE_ENTITY "url-not-allowed" "This URL can not be probed",
        "The host is private or reserved in some spelling, or the name or port is one that is never probed.",
        "Use an address that is reachable from the public internet. Operators open others with `PROBE_ALLOW_CIDRS`.";
    IDEMPOTENCY_KEY_REUSED = UNPROCESSABLE_ENTITY "idempotency-key-reused" "This key stands for another request",
        "Within a day the same `Idempotency-Key` came with a body that asks for something else.",
        "Use a new key for a new thing. A key that is made anew for every create, and kept for its repetitions, never meets this.";
    TOO_MANY_REQUESTS = TOO_MANY_REQUESTS "too-many-requests" "Too many requests",
        "A limit is used up: per client address on the auth routes and for unknown API keys, per account elsewhere, per service for probes on demand.",
        "Wait for the seconds in `Retry-After`.";
    INTERNAL = INTERNAL_SERVER_ERROR "internal" "Something went wrong on our side",
        "A fault of ours, logged under the request id.",
        "Try again later; report the request id (`instance`) if it stays.";
    UNAVAILABLE = SERVICE_UNAVAILABLE "unavailable" "Temporarily unavailable",
        "The database is away or everything is busy. Nothing was changed unless the connection broke off before the answer.",
        "Try again after the seconds in `Retry-After`.";
}

/// The kind with this slug.
#[must_use]
pub(crate) fn find(slug: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|kind| kind.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_unique_and_every_kind_is_explained() {
        for (at, kind) in ALL.iter().enumerate() {
            assert!(
                ALL.iter().skip(at + 1).all(|other| other.slug != kind.slug),
                "{}",
                kind.slug
            );
            let is_slug = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(kind.slug.chars().all(is_slug), "{}", kind.slug);
            assert!(kind.status.is_client_error() || kind.status.is_server_error());
            for text in [kind.meaning, kind.remedy] {
                assert!(text.ends_with('.'), "{}: {text}", kind.slug);
            }
            assert!(!kind.title.ends_with('.'), "{}", kind.slug);
        }
    }
}
