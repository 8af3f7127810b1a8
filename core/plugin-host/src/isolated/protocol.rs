//! What a host and the process of a plugin say to each other: the protocol of `sdk/PROCESS.md` in types.
//!
//! A message is a frame: its length in four bytes, the lowest first, and that many bytes of JSON. Many calls are on
//! their way at once; numbers tell them apart. The host believes nothing that comes from the process: frames are bounded,
//! and what is read from them is checked by the types it becomes.

use crate::runnable::{Description, Interface};
use convoke_sdk::{
    Attributes, CalendarUser, Call, Error, Metric, MetricKind, Network, ObjectIndex, Purpose,
    Result,
    remote::{Answered, Kind, Manifest, NotOpened, ProcessCall, is_plugin_name},
};
use convoke_types::excerpt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    io::{self, Read},
    path::PathBuf,
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The version of what is said.
pub(super) const VERSION: u32 = 1;
/// How many letters of what a process calls itself are shown.
const MOST_SHOWN: usize = 100;
/// The longest frame, in bytes.
const MAX_FRAME: usize = 64 * 1024 * 1024;

/// From the host.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ToChild<'a> {
    /// The first message, after the process's own: what to be.
    Open(Cow<'a, Opening>),
    /// A call to be answered.
    #[serde(borrow)]
    Call(Asked<'a>),
    /// Nobody waits for the answer any more.
    Cancel { id: u64 },
    /// Does it live? Asked of the process, not of the plugin.
    Ping { id: u64 },
    /// Close the plugin and end.
    Close {},
    /// The answer to [`ToHost::Index`].
    Index {
        id: u64,
        #[serde(default)]
        index: Option<ObjectIndex>,
        #[serde(default)]
        error: Option<Error>,
    },
}

/// From the process. What is not known is passed over.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ToHost {
    /// The first message: what it is.
    Hello(Hello),
    /// Whether it opened. Before any other message: it cannot even say what it is.
    Opened {
        #[serde(default)]
        refused: Option<NotOpened>,
    },
    /// A call was answered: with a value as the method says, or an error.
    Answer {
        id: u64,
        #[serde(default)]
        value: Option<Box<RawValue>>,
        #[serde(default)]
        error: Option<Error>,
    },
    /// A call was given up.
    Gone { id: u64 },
    /// To a ping, by the runtime that polls calls: it has a thread left.
    Pong { id: u64 },
    /// To a ping, by a thread that does nothing else.
    Pulse(Pulse),
    /// The plugin asks for the index of an object.
    Index {
        id: u64,
        #[serde(default)]
        user: Option<CalendarUser>,
        #[serde(with = "convoke_types::base64")]
        data: Vec<u8>,
    },
    /// The plugin says something.
    Log(Event),
    /// The plugin counts or measures something: a series, by a number of the process's.
    Metric {
        series: u64,
        /// `counter`, `gauge` or `histogram`; one of another kind is not taken.
        kind: String,
        #[serde(flatten)]
        metric: Metric,
    },
    /// A number for a series.
    Record { series: u64, value: f64 },
    /// How the plugin is: well, if it says nothing else.
    Health {
        #[serde(default)]
        degraded: Option<String>,
    },
}

/// The kind of a metric by its word.
pub(super) fn metric_kind(word: &str) -> Option<MetricKind> {
    let kinds = [
        MetricKind::Counter,
        MetricKind::Gauge,
        MetricKind::Histogram,
    ];
    kinds.into_iter().find(|kind| kind.as_str() == word)
}

/// What a process says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// The version of the protocol that it speaks.
    pub(super) protocol: u32,
    /// What it is called in a configuration.
    pub(super) name: String,
    /// Its own version.
    #[serde(default)]
    version: String,
    /// Who makes it.
    #[serde(default)]
    vendor: String,
    /// The kinds that it can be.
    kinds: Vec<String>,
    /// Those of them that cannot be opened twice side by side.
    #[serde(default)]
    exclusive: Vec<String>,
    /// The keys of its configuration, as a manifest's schema has them.
    #[serde(default)]
    config: Option<Box<RawValue>>,
}

impl Hello {
    /// What a library says in its manifest.
    pub(super) fn of(manifest: &Manifest) -> Self {
        let words = |kinds: &[Kind]| kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        Self {
            protocol: VERSION,
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            vendor: manifest.vendor.clone(),
            kinds: words(&manifest.kinds),
            exclusive: words(&manifest.exclusive),
            config: None,
        }
    }

    /// What it says, if that can be understood; in words what is wrong with it, if not.
    pub(super) fn describe(&self) -> Result<Description, String> {
        if self.protocol != VERSION {
            return Err(format!(
                "it speaks version {} of the process protocol, and this host version {VERSION}; install the plugin or the \
                 host in a version that fits",
                self.protocol
            ));
        }
        if !is_plugin_name(&self.name) {
            return Err(format!(
                "it calls itself `{}`; a plugin's name is 1 to 64 of a-z, 0-9 and -, and begins with a letter",
                excerpt(&self.name, MOST_SHOWN)
            ));
        }
        let known = |words: &[String]| {
            let is_said = |kind: &Kind| words.iter().any(|word| word == kind.as_str());
            Kind::ALL.into_iter().filter(is_said).collect()
        };
        Ok(Description {
            name: self.name.clone(),
            version: excerpt(&self.version, MOST_SHOWN),
            vendor: excerpt(&self.vendor, MOST_SHOWN),
            kinds: known(&self.kinds),
            other_names: Vec::new(),
            exclusive: known(&self.exclusive),
            // A process is one of its own.
            one_version: Vec::new(),
            interface: Interface::Process(self.protocol),
            schema: (self.config.as_ref()).map_or_else(String::new, |keys| keys.get().to_owned()),
        })
    }
}

/// A call to be answered.
#[derive(Serialize, Deserialize)]
pub(super) struct Asked<'a> {
    pub(super) id: u64,
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
    /// By name.
    #[serde(borrow)]
    pub(super) arguments: &'a RawValue,
    /// How long somebody waits for the answer.
    #[serde(default)]
    pub(super) seconds: Option<f64>,
    #[serde(default)]
    pub(super) request: Option<u64>,
    #[serde(default)]
    pub(super) purpose: Purpose,
    #[serde(default)]
    pub(super) attributes: Cow<'a, Attributes>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(id: u64, call: &'a ProcessCall<'_>, left: Duration) -> Self {
        Self {
            id,
            method: Cow::Borrowed(call.method),
            arguments: &call.arguments,
            seconds: Some(left.as_secs_f64()),
            request: call.call.request_id(),
            purpose: call.call.purpose(),
            attributes: Cow::Borrowed(call.call.attributes()),
        }
    }

    /// What goes with the call.
    pub(super) fn call(&self) -> Call {
        let left = self.seconds.map(Duration::try_from_secs_f64);
        let call = match left {
            Some(Ok(left)) => Call::within(left),
            _ => Call::default(),
        };
        let call = call.made_for(self.purpose);
        let call = call.of_request(self.request.unwrap_or_default());
        (self.attributes.iter()).fold(call, |call, (name, value)| call.with(name, value))
    }
}

/// What the calls in a process do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pulse {
    /// The number of the ping.
    pub(super) id: u64,
    /// Calls that have kept a thread for long.
    #[serde(default)]
    pub(super) blocking: Vec<u64>,
    /// Calls that no thread has begun with.
    #[serde(default)]
    pub(super) not_begun: Vec<u64>,
    /// How many threads there are for calls.
    pub(super) threads: u32,
}

/// An event of the plugin's log.
#[derive(Serialize, Deserialize)]
pub(super) struct Event {
    #[serde(default)]
    pub(super) level: Level,
    #[serde(default)]
    pub(super) target: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) fields: Attributes,
}

/// How grave an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// What a process is to be.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Opening {
    /// The version of what is said.
    pub(super) protocol: u32,
    /// The kind as a manifest says it.
    pub(super) kind: String,
    /// What the administrator calls this use of it.
    pub(super) name: String,
    /// The folder that relative paths count from.
    pub(super) folder: PathBuf,
    /// The folder of the plugin's own, which it may write in whatever else it may.
    pub(super) state_folder: PathBuf,
    /// How the host reaches others.
    #[serde(default)]
    pub(super) network: Network,
    /// The plugin's configuration.
    pub(super) config: serde_json::Value,
    /// The same as a TOML document.
    pub(super) config_toml: String,
    /// The chattiest level wanted.
    pub(super) level: Level,
}

/// A message as a frame.
pub(super) fn frame(message: &impl Serialize) -> Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)
        .map_err(|error| Error::invalid(format!("it cannot be handed over: {error}")))?;
    let length = frame.len() - 4;
    match u32::try_from(length) {
        Ok(prefix) if length <= MAX_FRAME => {
            frame[..4].copy_from_slice(&prefix.to_le_bytes());
            Ok(frame)
        }
        _ => Err(Error::invalid(format!(
            "{length} bytes are more than the {MAX_FRAME} that go from one process to another"
        ))),
    }
}

/// Reads what a frame holds.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// What a process answered.
pub(super) fn answered(value: Option<Box<RawValue>>, error: Option<Error>) -> Result<Answered> {
    match error {
        Some(error) => Err(error),
        None => Ok(value.unwrap_or_else(nothing)),
    }
}

/// The answer of a method that answers nothing.
pub(super) fn nothing() -> Answered {
    RawValue::NULL.to_owned()
}

fn length(prefix: [u8; 4]) -> io::Result<usize> {
    usize::try_from(u32::from_le_bytes(prefix))
        .ok()
        .filter(|length| *length <= MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"))
}

/// The content of the next frame; `None` at the end. Memory grows with what arrives, not with what is announced.
pub(super) async fn next(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = [0; 4];
    match stream.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = length(prefix)?;
    let mut content = Vec::with_capacity(length.min(64 * 1024));
    (&mut *stream)
        .take(length as u64)
        .read_to_end(&mut content)
        .await?;
    Ok((content.len() == length).then_some(content))
}

/// As [`next`], on the thread of the caller.
pub(super) fn next_blocking(mut stream: impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = [0; 4];
    match stream.read_exact(&mut prefix) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = length(prefix)?;
    let mut content = Vec::with_capacity(length.min(64 * 1024));
    stream.take(length as u64).read_to_end(&mut content)?;
    Ok((content.len() == length).then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_a_frame_costs_no_memory_and_no_panic() {
        let whole = frame(&ToHost::Gone { id: 7 }).unwrap();
        let read = next(&mut &whole[..]).await.unwrap().unwrap();
        assert!(matches!(parse(&read).unwrap(), ToHost::Gone { id: 7 }));
        for ended in [&whole[..0], &whole[..3], &whole[..5], &[255, 255, 0, 0, 1]] {
            assert_eq!(next(&mut &*ended).await.unwrap(), None, "{ended:?}");
            assert_eq!(next_blocking(ended).unwrap(), None, "{ended:?}");
        }
        assert!(next(&mut &[255; 8][..]).await.is_err());
        assert!(next_blocking(&[255; 8][..]).is_err());
        for garbage in [
            &b""[..],
            b"{}",
            b"[",
            b"{\"answer\":{}}",
            b"{\"gone\":{\"id\":-1}}",
        ] {
            assert!(parse::<ToHost>(garbage).is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn what_a_foreign_process_writes_is_read() {
        let read = |text: &str| parse::<ToHost>(text.as_bytes()).unwrap();
        let ToHost::Answer { value, error, .. } = read(r#"{"answer":{"id":1,"value":{"a":[]}}}"#)
        else {
            panic!("it is an answer");
        };
        assert_eq!(answered(value, error).unwrap().get(), r#"{"a":[]}"#);
        let ToHost::Answer { value, error, .. } =
            read(r#"{"answer":{"id":1,"error":{"kind":"not-found","message":"no such user"}}}"#)
        else {
            panic!("it is an answer");
        };
        let error = answered(value, error).unwrap_err();
        assert_eq!(error.kind(), convoke_sdk::ErrorKind::NotFound);
        assert!(matches!(
            read(r#"{"opened":{}}"#),
            ToHost::Opened { refused: None }
        ));
        assert!(matches!(read(r#"{"log":{"message":"x"}}"#), ToHost::Log(_)));
        let metric =
            r#"{"metric":{"series":1,"kind":"counter","name":"a_total","labels":{"b":"c"}}}"#;
        let ToHost::Metric { kind, metric, .. } = read(metric) else {
            panic!("it is a metric");
        };
        assert_eq!(metric_kind(&kind), Some(MetricKind::Counter));
        assert_eq!(metric, Metric::new("a_total", "").with("b", "c"));
        assert_eq!(metric_kind("summary"), None);
        assert!(matches!(
            read(r#"{"record":{"series":1,"value":2}}"#),
            ToHost::Record { value: 2.0, .. }
        ));
        assert!(matches!(
            read(r#"{"health":{}}"#),
            ToHost::Health { degraded: None }
        ));
    }

    /// The page that authors in other languages have shows every frame.
    #[test]
    fn frames_are_what_the_page_says() {
        let page = include_str!("../../../../sdk/PROCESS.md");
        let mut seen = Vec::new();
        for block in page.split("```json ").skip(1) {
            let (name, rest) = block.split_once('\n').unwrap();
            let (json, _) = rest.split_once("```").unwrap();
            let again = match name {
                "to-process" => serde_json::to_value(parse::<ToChild>(json.as_bytes()).unwrap()),
                "to-host" => serde_json::to_value(parse::<ToHost>(json.as_bytes()).unwrap()),
                _ => continue,
            };
            let shown: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(again.unwrap(), shown);
            let (member, _) = shown.as_object().unwrap().iter().next().unwrap();
            seen.push(format!("{name} {member}"));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(
            seen,
            [
                "to-host answer",
                "to-host gone",
                "to-host health",
                "to-host hello",
                "to-host index",
                "to-host log",
                "to-host metric",
                "to-host opened",
                "to-host pong",
                "to-host pulse",
                "to-host record",
                "to-process call",
                "to-process cancel",
                "to-process close",
                "to-process index",
                "to-process open",
                "to-process ping",
            ]
        );
    }
}
