use crate::Pattern;
use convoke_sdk::prelude::*;
use serde::de::{self, Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use std::{fmt, marker::PhantomData};

convoke_sdk::config! {
    /// What the administrator writes under `config`.
    #[derive(Debug)]
    pub struct Config {
        /// The rules, read from the top; the first that matches decides. Each has `allow` or `deny` (`"freebusy"`,
        /// `"schedule"` or `"any"`) or `hold` (`"schedule"`), and may have `from`, `to`, `method`, `component`, `via`,
        /// `known` and `detail`.
        rules: Vec<Written> as "list of rules",
    }
}

impl Config {
    pub(crate) fn read(self) -> Result<Vec<Rule>> {
        let numbered = (1..).zip(self.rules);
        numbered
            .map(|(number, written)| {
                written.read(number).map_err(|problem| {
                    Error::invalid(format!("rule {number} of `config.rules` {problem}"))
                })
            })
            .collect()
    }
}

/// A rule as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    allow: Option<About>,
    deny: Option<About>,
    hold: Option<About>,
    from: Option<OneOf<Pattern>>,
    to: Option<OneOf<Pattern>>,
    method: Option<OneOf<Method>>,
    component: Option<OneOf<Component>>,
    via: Option<OneOf<Via>>,
    detail: Option<Shown>,
    rate: Option<Rate>,
    quota: Option<Rate>,
    uninvited: Option<Guests>,
    dnssec: Option<OneOf<Validated>>,
    known: Option<OneOf<Sender>>,
}

impl Written {
    fn read(self, number: u32) -> Result<Rule, &'static str> {
        if self.allow.is_some()
            && self.uninvited.is_some_and(Guests::is_accept)
            && self.from.is_none()
        {
            return Err(
                "has `uninvited = \"accept\"` for everybody: name those whose answers put them on a list with `from`",
            );
        }
        let for_anonymous = names_anonymous(self.from.as_ref());
        let is_by_url = |via: &OneOf<Via>| via.0.contains(&Via::Url);
        if for_anonymous && !self.via.as_ref().is_some_and(is_by_url) {
            return Err(
                "has `from = \"anonymous\"`, which goes with `via = \"url\"`: only free-busy URLs are read by people without a name",
            );
        }
        if names_anonymous(self.to.as_ref()) {
            return Err("has `to = \"anonymous\"`, which nothing is ever sent to");
        }
        let limits = [
            (self.detail.is_some(), "detail"),
            (self.rate.is_some(), "rate"),
            (self.quota.is_some(), "quota"),
            (self.uninvited.is_some(), "uninvited"),
        ];
        if self.allow.is_none()
            && let Some((_, key)) = limits.iter().find(|(is_there, _)| *is_there)
        {
            return Err(match *key {
                "uninvited" => {
                    "allows nothing, so `uninvited` says nothing: remove it or write `allow`"
                }
                "rate" => {
                    "allows nothing, so `rate` has nothing to limit: remove it or write `allow`"
                }
                "quota" => {
                    "allows nothing, so `quota` has nothing to limit: remove it or write `allow`"
                }
                _ => "allows nothing, so `detail` has nothing to limit: remove it or write `allow`",
            });
        }
        let (about, decision) = match (self.allow, self.deny, self.hold) {
            (Some(about), None, None) => {
                let mut grant = Grant::default();
                if let Some(Shown::Busy) = self.detail {
                    grant.detail = Detail::Busy;
                }
                grant.uninvited = self.uninvited.map(|says| match says {
                    Guests::Accept => Uninvited::Accept,
                    Guests::Refuse => Uninvited::Refuse,
                });
                let limit = |rate| RateLimit::new(rate, number);
                grant.rate = self.rate.map(limit);
                grant.quota = self.quota.map(limit);
                grant.rule = Some(number);
                if for_anonymous {
                    grant.anonymous = Anonymous::Included;
                }
                (about, Decision::Allow(grant))
            }
            (None, Some(about), None) => {
                (about, Decision::deny(format!("rule {number} denies it")))
            }
            (None, None, Some(about @ About::Schedule)) => (about, Decision::Hold),
            (None, None, Some(_)) => {
                return Err("holds what cannot wait: write `hold = \"schedule\"`");
            }
            (None, None, None) => {
                return Err(
                    "has neither `allow` nor `deny` nor `hold`: write one of them, such as `allow = \"freebusy\"`",
                );
            }
            _ => {
                return Err(
                    "has several of `allow`, `deny` and `hold`: split it into several rules",
                );
            }
        };
        match about {
            About::Send if self.allow.is_some() => {
                return Err(
                    "allows to send, which nothing forbids: write `deny = \"send\"`, or remove it",
                );
            }
            About::Send => {}
            _ if self.dnssec.is_some() => {
                return Err("has `dnssec`, which goes with `deny = \"send\"` only");
            }
            _ => {}
        }
        Ok(Rule {
            about,
            from: self.from,
            to: self.to,
            method: self.method,
            component: self.component,
            via: self.via,
            dnssec: self.dnssec,
            known: self.known,
            decision,
        })
    }
}

fn names_anonymous(patterns: Option<&OneOf<Pattern>>) -> bool {
    patterns.is_some_and(|list| list.0.iter().any(Pattern::is_anonymous))
}

/// A rule: when it matches, and what it decides.
#[derive(Debug)]
pub(crate) struct Rule {
    about: About,
    from: Option<OneOf<Pattern>>,
    to: Option<OneOf<Pattern>>,
    method: Option<OneOf<Method>>,
    component: Option<OneOf<Component>>,
    via: Option<OneOf<Via>>,
    dnssec: Option<OneOf<Validated>>,
    known: Option<OneOf<Sender>>,
    decision: Decision,
}

impl Rule {
    pub(crate) fn matches(&self, request: &AccessRequest) -> bool {
        let address = |wanted: Option<&OneOf<Pattern>>, address| {
            OneOf::allows(wanted, |pattern| pattern.matches(address))
        };
        self.about.covers(request.action)
            && self.is_open_to(&request.originator)
            && address(self.from.as_ref(), &request.originator)
            && address(self.to.as_ref(), &request.recipient)
            && OneOf::allows(self.method.as_ref(), |it| it.0 == request.method)
            && OneOf::allows(self.component.as_ref(), |it| it.0 == request.component)
            && OneOf::allows(self.via.as_ref(), |via| via.holds(request))
            && OneOf::allows(self.dnssec.as_ref(), |it| it.holds(request))
            && OneOf::allows(self.known.as_ref(), |it| it.holds(request))
    }

    /// Who does not say who they are is allowed only what names them; what is denied to everybody is denied to them, too.
    fn is_open_to(&self, originator: &CalendarAddress) -> bool {
        let allows = matches!(self.decision, Decision::Allow(_));
        !originator.is_anonymous() || self.from.is_some() || !allows
    }

    pub(crate) fn decision(&self) -> Decision {
        self.decision.clone()
    }
}

/// The methods of iTIP (RFC 5546 §1.4).
const METHODS: &[&str] = &[
    "PUBLISH",
    "REQUEST",
    "REPLY",
    "ADD",
    "CANCEL",
    "REFRESH",
    "COUNTER",
    "DECLINECOUNTER",
];

/// The components that they are about.
const COMPONENTS: &[&str] = &["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"];

/// One of [`METHODS`].
#[derive(Debug)]
struct Method(&'static str);

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        known(&String::deserialize(deserializer)?, METHODS).map(Self)
    }
}

/// One of [`COMPONENTS`].
#[derive(Debug)]
struct Component(&'static str);

impl<'de> Deserialize<'de> for Component {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        known(&String::deserialize(deserializer)?, COMPONENTS).map(Self)
    }
}

/// The word that was meant, whose case does not count: one that is not known would match nothing, ever.
fn known<E: de::Error>(written: &str, words: &'static [&'static str]) -> Result<&'static str, E> {
    let meant = words.iter().find(|word| word.eq_ignore_ascii_case(written));
    (meant.copied()).ok_or_else(|| E::unknown_variant(&written.to_ascii_uppercase(), words))
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum About {
    FreeBusy,
    Schedule,
    /// Both of these.
    Any,
    /// What our own users send to others.
    Send,
}

impl About {
    const fn covers(self, action: Action) -> bool {
        matches!(
            (self, action),
            (Self::FreeBusy | Self::Any, Action::FreeBusy)
                | (Self::Schedule | Self::Any, Action::Schedule)
                | (Self::Send, Action::Send)
        )
    }
}

/// What DNSSEC says of the receiver that a message would go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Validated {
    Secure,
    Insecure,
    /// Nothing was validated.
    None,
}

impl Validated {
    fn holds(self, request: &AccessRequest) -> bool {
        match self {
            Self::Secure => request.dnssec() == Some(Dnssec::Secure),
            Self::Insecure => request.dnssec() == Some(Dnssec::Insecure),
            Self::None => request.dnssec().is_none(),
        }
    }
}

/// Whether the recipient knows the sender: `true` or `"yes"`, `false` or `"no"`, `"unsaid"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sender {
    #[serde(alias = "true")]
    Yes,
    #[serde(alias = "false")]
    No,
    /// The host does not say.
    Unsaid,
}

impl Sender {
    fn holds(self, request: &AccessRequest) -> bool {
        match self {
            Self::Yes => request.sender == Some(Acquaintance::Known),
            Self::No => request.sender == Some(Acquaintance::Stranger),
            Self::Unsaid => request.sender.is_none(),
        }
    }
}

/// How the peer proved that it may speak for the originator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A DKIM signature of the originator's domain or of one above it.
    Dkim,
    /// A client certificate of the originator's domain or of one above it.
    Mtls,
    /// A login at the submission listener that may act as the originator.
    Submission,
    /// A mail that proved to come from the originator.
    Mail,
    /// Nothing by itself: it reads a free-busy URL of the caldav listener, logged in or, `from = "anonymous"`, not.
    Url,
    /// None of these.
    None,
}

impl Via {
    fn holds(self, request: &AccessRequest) -> bool {
        let mut ways = request
            .proofs
            .iter()
            .filter_map(|proof| Self::of(proof, &request.originator));
        match self {
            Self::None => ways.next().is_none(),
            wanted => ways.any(|way| way == wanted),
        }
    }

    /// What a proof says about the originator; `None` if it is about somebody else.
    fn of(proof: &Proof, originator: &CalendarAddress) -> Option<Self> {
        let covers = |proven: &Domain| {
            originator
                .domain()
                .is_ok_and(|domain| domain.is_within(proven))
        };
        match proof {
            Proof::Dkim(domain) => covers(domain).then_some(Self::Dkim),
            Proof::Mtls(domain) => covers(domain).then_some(Self::Mtls),
            Proof::Submission(address) => address.same_user(originator).then_some(Self::Submission),
            Proof::Mail(address, _) => address.same_user(originator).then_some(Self::Mail),
            Proof::Url(address) => address.same_user(originator).then_some(Self::Url),
            // What is not known proves nothing.
            _ => None,
        }
    }
}

/// How much an allowed look-up shows.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    Full,
    Busy,
}

/// Answers of people who were not invited.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Guests {
    Accept,
    Refuse,
}

impl Guests {
    const fn is_accept(self) -> bool {
        matches!(self, Self::Accept)
    }
}

/// One value, or a list that is not empty.
#[derive(Debug)]
struct OneOf<T>(Vec<T>);

impl<T> OneOf<T> {
    /// Whether one of the values holds; a key that was not written asks for nothing.
    fn allows(wanted: Option<&Self>, holds: impl FnMut(&T) -> bool) -> bool {
        wanted.is_none_or(|list| list.0.iter().any(holds))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOfVisitor(PhantomData))
    }
}

struct OneOfVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOfVisitor<T> {
    type Value = OneOf<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one text or a list of at least one")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOf<T>, E> {
        T::deserialize(de::IntoDeserializer::into_deserializer(text)).map(|one| OneOf(vec![one]))
    }

    fn visit_bool<E: de::Error>(self, said: bool) -> Result<OneOf<T>, E> {
        self.visit_str(if said { "true" } else { "false" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<OneOf<T>, A::Error> {
        let list = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        if list.is_empty() {
            return Err(de::Error::invalid_length(0, &self));
        }
        Ok(OneOf(list))
    }
}
