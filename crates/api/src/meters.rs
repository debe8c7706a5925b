//! What an HTTP worker counts and times of its answers.
//!
//! Each worker keeps the counters that it has asked the registry for: to find one there by its labels takes more than to
//! count with it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// The meters of one worker; all count in the process' one registry. There are no more than routes, methods and
/// statuses.
#[derive(Debug, Default)]
pub(crate) struct Meters(RefCell<HashMap<Kind, Meter>>);

/// Answers that are counted together.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    /// The pattern, not the path: labels have few values.
    route: String,
    method: &'static str,
    status: StatusCode,
}

#[derive(Debug)]
struct Meter {
    answers: Counter,
    seconds: Histogram,
}

impl Meters {
    /// Counts an answer, and how long it took.
    pub(crate) fn note(
        &self,
        route: String,
        method: &Method,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let kind = Kind {
            route,
            method: label(method),
            status,
        };
        let mut meters = self.0.borrow_mut();
        let meter = match meters.get(&kind) {
            Some(known) => known,
            None => {
                let meter = Meter::registered(&kind);
                meters.entry(kind).or_insert(meter)
            }
        };
        meter.answers.increment(1);
        meter.seconds.record(elapsed.as_secs_f64());
    }
}

impl Meter {
    fn registered(kind: &Kind) -> Self {
        let route = kind.route.clone();
        let status = kind.status.as_u16().to_string();
        Self {
            answers: metrics::counter!(
                "pulsemon_api_requests_total", "route" => route.clone(), "method" => kind.method, "status" => status
            ),
            seconds: metrics::histogram!("pulsemon_api_request_seconds", "route" => route),
        }
    }
}

/// Methods are the client's to choose: only those we know become a label.
fn label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_workers_are_counted_by_route_method_and_status() {
        let registry = runtime::telemetry::metrics_registry();
        let workers = [Meters::default(), Meters::default()];
        let route = "/of-this-test/{id}";
        let brew = Method::from_bytes(b"BREW").unwrap();
        for (worker, method, status) in [
            (0, &Method::GET, StatusCode::OK),
            (0, &Method::GET, StatusCode::OK),
            (1, &Method::GET, StatusCode::OK),
            (1, &Method::GET, StatusCode::NOT_FOUND),
            (1, &brew, StatusCode::METHOD_NOT_ALLOWED),
        ] {
            workers[worker].note(route.to_owned(), method, status, Duration::from_millis(3));
        }
        let page = registry.render();
        let answers = |method, status| {
            let labels = format!(r#"{{route="{route}",method="{method}",status="{status}"}}"#);
            format!("pulsemon_api_requests_total{labels}")
        };
        for line in [
            format!("{} 3", answers("GET", 200)),
            format!("{} 1", answers("GET", 404)),
            format!("{} 1", answers("other", 405)),
            format!(r#"pulsemon_api_request_seconds_count{{route="{route}"}} 5"#),
        ] {
            assert!(page.lines().any(|shown| shown == line), "{line}\n{page}");
        }
    }
}
