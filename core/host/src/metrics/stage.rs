//! How long the stages of a message take.

use super::Metrics;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelSetEncoder};
use std::{fmt, time::Instant};

/// What is done with a message, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Coming in: its octets arrive.
    Body,
    /// Coming in: who sends it is proved, with whatever is asked elsewhere for that.
    Identify,
    /// Coming in: it is read and checked.
    Read,
    /// Coming in: policies and stores are asked, and it is stored.
    Deliver,
    /// Going out: receivers are looked up, and policies asked.
    Route,
    /// Going out: what a receiver takes is found out.
    Capabilities,
    /// Going out: it is posted.
    Post,
    /// Going out: it is handed to the mail server.
    #[cfg(feature = "mail")]
    Mail,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Identify => "identify",
            Self::Read => "read",
            Self::Deliver => "deliver",
            Self::Route => "route",
            Self::Capabilities => "capabilities",
            Self::Post => "post",
            #[cfg(feature = "mail")]
            Self::Mail => "mail",
        }
    }
}

impl EncodeLabelSet for Stage {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let mut label = encoder.encode_label();
        let mut key = label.encode_label_key()?;
        prometheus_client::encoding::EncodeLabelKey::encode(&"stage", &mut key)?;
        let mut value = key.encode_label_value()?;
        self.as_str().encode(&mut value)?;
        value.finish()
    }
}

impl Metrics {
    /// Does what a stage consists of, and notes how long that took.
    pub(crate) async fn timed<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = work.await;
        let times = self.stages.get_or_create(&stage);
        times.observe(begun.elapsed().as_secs_f64());
        done
    }
}
