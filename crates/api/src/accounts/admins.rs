//! Nobody leaves an installation without an admin.

use db::Conn;
use db::users::admin;
use uuid::Uuid;

use crate::error::Problem;
use crate::problems;

/// Fails where an account that is to be deleted or locked is the last admin's who is not locked. Exact until the
/// transaction ends: two admins who leave at once wait for each other here. First in the transaction, since it locks admins
/// in their order.
///
/// # Errors
/// 409 (`last-admin`), or the database's failure.
pub(crate) async fn keep_one(conn: &mut Conn, leaving: Uuid) -> Result<(), Problem> {
    if !admin::is_admin(conn, leaving).await? || admin::lock_active(conn).await? != [leaving] {
        return Ok(());
    }
    Err(Problem::new(
        &problems::LAST_ADMIN,
        "There has to be another admin first. Unlock one, or have one made by whoever runs the database (docs/operating.md).",
    ))
}
