//! Health and metrics, for the administrator's own tools.

use crate::{answer::empty, instance::Instance};
use bytes::Bytes;
use convoke_net::http_server::{Body, Response};
use convoke_plugin_host::{PluginInfo, PluginState};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Answers `/health` and `/metrics`.
pub(super) fn handle(instance: &Instance, request: &Request<Body>) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return empty(StatusCode::METHOD_NOT_ALLOWED, &[("allow", "GET, HEAD")]);
    }
    match request.uri().path() {
        "/health" => text(health(&instance.plugins.list()), PLAIN),
        "/metrics" => {
            let shared = &instance.shared;
            let counted = shared.plugin_metrics.families();
            let plugins = instance.plugins.list();
            text(shared.metrics.text(&plugins, &counted), PROMETHEUS)
        }
        _ => empty(StatusCode::NOT_FOUND, &[]),
    }
}

/// `ok`; or `degraded`, and a line for each plugin that says so of itself.
fn health(plugins: &[PluginInfo]) -> String {
    let lines: Vec<String> = plugins
        .iter()
        .filter_map(|plugin| match &plugin.state {
            PluginState::Degraded { reason } => Some(format!("{}: {reason}\n", plugin.name)),
            _ => None,
        })
        .collect();
    if lines.is_empty() {
        "ok\n".to_owned()
    } else {
        format!("degraded\n{}", lines.concat())
    }
}

fn text(text: String, kind: HeaderValue) -> Response {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
