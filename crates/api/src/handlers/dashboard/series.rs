//! `GET /dashboard/{service_id}/latency`: checks, failures and latencies by steps.

use actix_web::web::Data;
use db::Conn;
use models::Time;
use models::window::Window;
use uuid::Uuid;

use super::{owned, unnoticed, window};
use crate::app::{Api, Near};
use crate::auth::Bearer;
use crate::error::Problem;
use crate::handlers::{PathId, Query};
use crate::input::{self, Complaint, Node};
use crate::reply::{Answer, Reply};
use crate::views::latency::{Cut, Point, STEPS, Source};
use crate::views::lists::LatencySeries;
use crate::views::sums::Sums;

/// Answers at most 500 points, oldest first, steps without results among them.
///
/// # Errors
/// 401, 404, 422.
pub(crate) async fn latency(
    api: Data<Api>,
    near: Near,
    bearer: Bearer,
    id: PathId,
    Query(mut fields): Query,
) -> Answer {
    let app = Data::clone(&api);
    api.read(async move {
        let mut conn = near.conn(&app).await?;
        let (_, service) = owned(&mut conn, &bearer, &id).await?;
        let now = app.clock.now();
        let window = fields.optional("window", window).or(("24h", Window::DAY));
        let asked = fields.optional("step", step);
        let step = asked.value();
        let cut = window.map(|(_, window)| Cut::new(window, step, now));
        if let Some(Err(complaint)) = &cut {
            fields.refuse("step", complaint.clone());
        }
        fields.finish()?;
        let cut = cut.and_then(Result::ok).ok_or_else(unnoticed)?;
        let points = points(&mut conn, service.id, &cut).await?;
        Reply::ok(&LatencySeries { points })
    })
    .await
}

async fn points(conn: &mut Conn, service: Uuid, cut: &Cut) -> Result<Vec<Point>, Problem> {
    let mut points: Vec<Point> = (0..cut.points)
        .map(|n| Point::empty(cut.start_of(n)))
        .collect();
    if cut.source() == Source::Results {
        let reach = (cut.from, cut.to());
        let steps = db::results::page::steps(conn, service, reach, cut.step_seconds).await?;
        for step in &steps {
            put(&mut points, cut, step.at, Point::of_results(step));
        }
        return Ok(points);
    }
    let mut sums = vec![Sums::default(); points.len()];
    let slot = |sums: &mut Vec<Sums>, at: Time, add: &mut dyn FnMut(&mut Sums)| {
        if let Some(sum) = cut.index_of(at).and_then(|index| sums.get_mut(index)) {
            add(sum);
        }
    };
    let rows = match cut.source() {
        Source::Days => db::rollups::sums::days(conn, &[service], (cut.from, cut.to())).await?,
        Source::Results | Source::Hours => {
            let nothing = (cut.from, cut.from);
            db::rollups::sums::hours(conn, &[service], nothing, cut.from).await?
        }
    };
    for row in &rows {
        slot(&mut sums, row.at, &mut |sum| sum.add(row));
    }
    for row in db::health::of_services(conn, &[service]).await? {
        if let Some(hour) = row.hour {
            slot(&mut sums, hour, &mut |sum| sum.add_open(&row));
        }
    }
    let points = (0..)
        .zip(&sums)
        .map(|(n, sum)| Point::of_sums(cut.start_of(n), sum));
    Ok(points.collect())
}

fn put(points: &mut [Point], cut: &Cut, at: Time, point: Point) {
    if let Some(place) = cut.index_of(at).and_then(|index| points.get_mut(index)) {
        *place = point;
    }
}

/// A step's name, in seconds.
fn step(node: &Node) -> Result<i32, Complaint> {
    let text = input::text(node)?;
    let known = STEPS.into_iter().find(|step| step.0 == text);
    known.map(|step| step.1).ok_or_else(|| {
        let names: Vec<&str> = STEPS.into_iter().map(|step| step.0).collect();
        format!("must be one of {}", names.join(" "))
    })
}
