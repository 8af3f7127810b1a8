//! A plugin that is a program, and misbehaves: in its greeting as its file's name says, later as its configuration does.
//! It knows nothing of the SDK but what `sdk/PROCESS.md` says.

use serde_json::{Value, json};
use std::{
    env, fs,
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    path::Path,
    process::{self, Command},
    thread,
    time::Duration,
};

fn say(message: &Value) {
    say_bytes(message.to_string().as_bytes());
}

fn say_bytes(frame: &[u8]) {
    let length = u32::try_from(frame.len()).unwrap();
    let mut out = io::stdout().lock();
    // If the host is gone, so are we at the next read.
    let _ = out.write_all(&[&length.to_le_bytes(), frame].concat());
    let _ = out.flush();
}

fn hear() -> Option<Value> {
    let mut length = [0; 4];
    io::stdin().read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_le_bytes(length) as usize];
    io::stdin().read_exact(&mut frame).ok()?;
    serde_json::from_slice(&frame).ok()
}

fn main() {
    let file = env::args().next().unwrap_or_default();
    let name = Path::new(&file).file_name().unwrap_or_default();
    greet(&name.to_string_lossy());
    let mut opened = Value::Null;
    while let Some(message) = hear() {
        if message.get("open").is_some() {
            opened = message["open"].clone();
            say(&open(&opened["config"]));
        } else if let Some(call) = message.get("call") {
            answer(&opened, call);
        } else if let Some(ping) = message.get("ping") {
            say(&json!({"pong": {"id": ping["id"]}}));
        } else if message.get("close").is_some() {
            eprintln!("it closes");
            return;
        }
    }
}

/// Says what it is, or what it is not.
fn greet(fault: &str) {
    let hello = json!({
        "protocol": 1, "name": "test-process", "version": "1.2.3", "vendor": "Acme",
        "kinds": ["store", "discovery", "later"], "exclusive": ["store"],
        "config": {"store": [{"name": "fault", "type": "text", "required": false, "default": null, "doc": "What it does wrong."}]},
    });
    let said = |key: &str, value: Value| {
        let mut hello = hello.clone();
        hello[key] = value;
        json!({"hello": hello})
    };
    match fault {
        "silent" => loop {
            thread::park();
        },
        "ends" => {
            eprintln!("first this\nthere is no such module");
            process::exit(3)
        }
        "garbage" => say_bytes(b"Dear colleague,"),
        "huge" => {
            let _ = io::stdout().write_all(&[255; 8]);
            let _ = io::stdout().flush();
        }
        "later" => say(&said("protocol", json!(7))),
        "nameless" => say(&said("name", json!("Acme's best"))),
        "opened" => say(&json!({"opened": {}})),
        "refuses" => {
            let error = json!({"kind": "unavailable", "message": "Python 3.9 is too old"});
            say(&json!({"opened": {"refused": {"error": error}}}));
        }
        "twice" => {
            say(&json!({"hello": hello}));
            say(&json!({"hello": hello}));
        }
        _ => say(&json!({"hello": hello})),
    }
}

fn open(config: &Value) -> Value {
    match config["fault"].as_str() {
        Some("open-error") => {
            let error = json!({"kind": "unavailable", "message": "the database is locked"});
            json!({"opened": {"refused": {"error": error}}})
        }
        Some("open-key") => {
            let error = json!({"kind": "invalid", "message": "`config.path` is missing; add it"});
            json!({"opened": {"refused": {"error": error, "config_key": "config.path"}}})
        }
        Some("open-exit") => process::exit(4),
        _ => json!({"opened": {}}),
    }
}

fn answer(opened: &Value, call: &Value) {
    let id = &call["id"];
    let fine = call["arguments"]["address"].as_str() == Some("mailto:fine@example.org");
    if fine || call["method"] != "find" {
        return say(&json!({"answer": {"id": id, "value": null}}));
    }
    let config = &opened["config"];
    let text = |key: &str| config[key].as_str().unwrap_or_default().to_owned();
    let answer = match misbehave(&text("fault"), &text("what")) {
        Ok(what) => json!({"kind": "not-found", "message": what}),
        Err(error) => json!({"kind": "denied", "message": error.to_string()}),
    };
    say(&json!({"answer": {"id": id, "error": answer}}));
}

/// What came of it, if it can be survived.
fn misbehave(fault: &str, what: &str) -> io::Result<String> {
    match fault {
        "abort" => process::abort(),
        "exit" => process::exit(3),
        "block" => loop {
            thread::park();
        },
        "garbage" => {
            println!("Dear colleague,");
            Ok(String::new())
        }
        "huge" => {
            io::stdout().write_all(&[255; 8])?;
            Ok(String::new())
        }
        "allocate" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(vec![1_u8; 1 << 20]);
                std::hint::black_box(&hoard);
            }
        }
        "crowd" => loop {
            let waiting = || thread::sleep(Duration::from_secs(3600));
            let small = thread::Builder::new().stack_size(16 * 1024);
            if small.spawn(waiting).is_err() {
                thread::sleep(Duration::from_millis(1));
            }
        },
        "read" => fs::read(what).map(|_| String::new()),
        "write" => fs::write(what, "mine").map(|()| String::new()),
        "connect" => TcpStream::connect(what).map(|_| String::new()),
        "start" => Command::new(what).status().map(|_| String::new()),
        "become" => Err(Command::new(what).exec()),
        "become-itself" => Err(Command::new("/proc/self/exe").exec()),
        "capabilities" => {
            let status = fs::read_to_string("/proc/self/status")?;
            let wanted = |line: &&str| line.starts_with("Cap") || line.starts_with("NoNewPrivs");
            Ok(status.lines().filter(wanted).collect::<Vec<_>>().join(" "))
        }
        "tell" => {
            let variables: Vec<_> = env::vars().collect();
            let arguments: Vec<_> = env::args().skip(1).collect();
            let open = (0..200).filter_map(|it| fs::read_link(format!("/proc/self/fd/{it}")).ok());
            Ok(format!(
                "{variables:?} {arguments:?} {:?}",
                open.collect::<Vec<_>>()
            ))
        }
        other => Ok(format!("`{other}` is no fault")),
    }
}
