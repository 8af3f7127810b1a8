//! What `convoke check` says of `upstream`.

use super::server::Server;
use convoke_tests::{Authority, plugin_directory, program};
use serde_json::Value;
use std::{fs, process::Command};

const ASKS: &str =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Length: 0\r\n\r\n";

/// What is found of a listener at `address` in front of `upstream`, with a store of `store`.
fn found(address: &str, upstream: &str, store: &str) -> Vec<(String, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("convoke.toml");
    let text = format!(
        "[server]\ndomains = [\"example.org\"]\nstate = \"state\"\nplugins = [\"{}\"]\n\
         [[listener]]\nrole = \"caldav\"\naddress = \"{address}\"\nupstream = \"{upstream}\"\n\
         [[policy]]\nplugin = \"policy-rules\"\nconfig.rules = [{{ allow = \"any\" }}]\n\
         [[store]]\nplugin = \"store-caldav\"\n{store}\n",
        plugin_directory().display()
    );
    fs::write(&config, text).unwrap();
    let mut check = Command::new(program());
    let said = check.args(["check", "--json", "--config"]).arg(&config);
    let said = said.output().unwrap();
    let found: Vec<Value> =
        serde_json::from_slice(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let found = found
        .iter()
        .map(|it| (text(it, "verdict"), text(it, "what"), text(it, "detail")));
    found.collect()
}

#[track_caller]
fn says(found: &[(String, String, String)], verdict: &str, what: &str, detail: &str) {
    let says =
        |it: &&(String, String, String)| it.0 == verdict && it.1 == what && it.2.contains(detail);
    assert!(
        found.iter().any(|it| says(&it)),
        "{verdict} {what}: {detail}\n{found:#?}"
    );
}

const UPSTREAM: &str = "listener caldav: upstream";
const ANSWER: &str = "listener caldav: upstream: answer";

#[test]
fn what_is_in_front_of_what_and_what_would_tell_nobody() {
    let server = Server::answering(ASKS);
    let url = server.url();
    let home = |url: &str| format!("config.home = \"{url}/{{user}}/\"");
    let right = found("127.0.0.1:0", &url, &home(&url));
    says(
        &right,
        "ok",
        UPSTREAM,
        &format!("in front of {url}, where the calendars of store-caldav are"),
    );
    says(&right, "ok", ANSWER, "asks who logs in");
    assert!(!right.iter().any(|it| it.0 == "fail"), "{right:#?}");

    // Each user's place is as good as a template.
    let named = format!("config.users.\"anna@example.org\" = {{ home = \"{url}/anna/\" }}");
    says(
        &found("127.0.0.1:0", &url, &named),
        "ok",
        UPSTREAM,
        "in front of",
    );

    let elsewhere = found("127.0.0.1:0", &url, &home("http://127.0.0.1:1"));
    says(&elsewhere, "fail", UPSTREAM, "told to nobody");
    let below = found("127.0.0.1:0", &format!("{url}/dav.php"), &home(&url));
    says(&below, "fail", UPSTREAM, "told to nobody");
    let misspelt = format!("config.home = \"{url}/{{usr}}/\"");
    let misspelt = found("127.0.0.1:0", &url, &misspelt);
    says(
        &misspelt,
        "fail",
        "store store-caldav",
        "`{usr}` stands for nothing",
    );
    let off = format!("schedule = \"off\"\n{}", home(&url));
    says(
        &found("127.0.0.1:0", &url, &off),
        "warn",
        "store store-caldav",
        "told to nobody",
    );

    let own = server.address().to_string();
    says(
        &found(&own, &url, &home(&url)),
        "fail",
        UPSTREAM,
        "own listener `caldav`",
    );
    let other = Server::answering(ASKS);
    let around = found(&own, &other.url(), &home(&url));
    says(
        &around,
        "fail",
        "store store-caldav",
        "leads to this listener itself",
    );
}

#[test]
fn how_the_server_answers() {
    let store = |url: &str| format!("config.home = \"{url}/{{user}}/\"");
    for (answer, verdict, detail) in [
        (
            "HTTP/1.1 207 Multi-Status\r\nContent-Length: 0\r\n\r\n",
            "warn",
            "asks nobody for a password",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "warn",
            "where its DAV begins",
        ),
        (
            "HTTP/1.1 200 OK\r\nDAV: 1, calendar-access, calendar-auto-schedule\r\nContent-Length: 0\r\n\r\n",
            "warn",
            "by itself",
        ),
        ("what is this\r\n\r\n", "fail", "is it http or https?"),
    ] {
        let server = Server::answering(answer);
        let url = server.url();
        says(
            &found("127.0.0.1:0", &url, &store(&url)),
            verdict,
            ANSWER,
            detail,
        );
    }
    // Linux takes it for this machine, and its name does not say so.
    let server = Server::answering(ASKS);
    let url = format!("http://0.0.0.0:{}", server.address().port());
    let store_there = format!("config.plain_http = true\n{}", store(&url));
    says(
        &found("127.0.0.1:0", &url, &store_there),
        "warn",
        UPSTREAM,
        "password goes there in the clear",
    );
    // A certificate that nobody vouches for.
    let server = Server::with_tls(&Authority::new(), ASKS);
    let url = server.url();
    says(
        &found("127.0.0.1:0", &url, &store(&url)),
        "fail",
        ANSWER,
        "name that in `[client] ca`",
    );
    // Nobody there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    says(
        &found("127.0.0.1:0", &url, &store(&url)),
        "fail",
        ANSWER,
        "is it up?",
    );
}
