//! Health and metrics, and the console, for the administrator's own tools.

#[cfg(feature = "console")]
use crate::console;
use crate::{
    admin::queue, answer::empty, certificates, health, instance::Instance, metrics::Found,
    trouble::Trouble,
};
use convoke_net::http_server::{Arrival, Body, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};
use std::time::Duration;
use tokio::time::timeout;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// How long the state may take to answer, for this host to be ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers `/health`, with `/health/live` and `/health/ready`, and `/metrics`; and the console, to who logs in.
pub(super) async fn handle(
    instance: &Instance,
    arrival: &Arrival,
    request: Request<Body>,
) -> Response {
    #[cfg(feature = "console")]
    if console::has(request.uri().path()) {
        return console::handle(instance, arrival, request).await;
    }
    #[cfg(not(feature = "console"))]
    let _ = arrival;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", "GET, HEAD")]);
    }
    match request.uri().path() {
        "/health" => text(health(instance).await, PLAIN),
        // It answers: there is no need to start it anew.
        "/health/live" => text("ok\n".to_owned(), PLAIN),
        "/health/ready" => match ready(instance).await {
            Ok(()) => text("ok\n".to_owned(), PLAIN),
            Err(why) => {
                let mut response = text(format!("{why}\n"), PLAIN);
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response
            }
        },
        "/metrics" => {
            let shared = &instance.shared;
            let page = shared.metrics.text(&Found {
                started: shared.started.0,
                plugins: &instance.plugins.list(),
                counted: &shared.plugin_metrics,
                waiting: &queue::counts(instance).await,
                attempts: &shared.attempts,
                certificates: &certificates::of(&instance.config),
                troubles: health::count(instance).await,
            });
            text(page, PROMETHEUS)
        }
        _ => empty(StatusCode::NOT_FOUND, &[]),
    }
}

/// Whether a balancer should let requests come here: what is not forgotten can be reached, and others know that this host lives.
/// A host that ends does not listen any more.
async fn ready(instance: &Instance) -> Result<(), String> {
    let asked = timeout(PATIENCE, instance.plugins.state.get(b"ready")).await;
    match asked {
        Ok(Ok(_)) if instance.shared.lease.is_held() => Ok(()),
        Ok(Ok(_)) => Err("the lease of this host in the state is not renewed".to_owned()),
        Ok(Err(error)) => Err(format!("the state cannot be reached: {error}")),
        Err(_) => Err(format!("the state did not answer within {PATIENCE:?}")),
    }
}

/// `ok`; or `degraded`, and a line for each thing that an administrator should look at.
async fn health(instance: &Instance) -> String {
    let troubles = health::troubles(instance).await;
    let line = |it: &Trouble| format!("{}: {}\n", it.name, it.detail);
    let lines: String = troubles.iter().map(line).collect();
    if lines.is_empty() {
        "ok\n".to_owned()
    } else {
        format!("degraded\n{lines}")
    }
}

fn text(text: String, kind: HeaderValue) -> Response {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
