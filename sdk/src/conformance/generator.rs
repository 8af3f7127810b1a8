//! Random input, the same in each run, so that a failure can be seen again.

use crate::prelude::*;

/// Throws numbers, texts, addresses and requests.
pub(super) struct Generator(u64);

const METHODS: [&str; 8] = [
    "PUBLISH",
    "REQUEST",
    "REPLY",
    "ADD",
    "CANCEL",
    "REFRESH",
    "COUNTER",
    "DECLINECOUNTER",
];
const COMPONENTS: [&str; 6] = [
    "VEVENT",
    "VTODO",
    "VFREEBUSY",
    "VJOURNAL",
    "VPOLL",
    "VAVAILABILITY",
];
const LETTERS: [char; 28] = [
    'a', 'b', 'z', 'A', 'Z', '0', '9', '.', '-', '_', '+', '%', '*', '?', '\'', '"', '/', '\\',
    '=', '!', '#', '$', 'ü', 'ß', 'İ', '日', '🗓', '\u{301}',
];
const DOMAINS: [&str; 7] = [
    "example.com",
    "example.org",
    "sub.example.net",
    "bücher.example",
    "xn--bcher-kva.example",
    "unknown.invalid",
    "a.b.c.d.e.f.g.example",
];

impl Generator {
    pub(super) const fn new() -> Self {
        Self(0x5eed_c0de_1234_5678)
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u32) -> u32 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32;
        high % sides
    }

    /// One of them.
    pub(super) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let count = u32::try_from(of.len()).expect("the kit's lists are short");
        &of[self.roll(count) as usize]
    }

    /// Up to `most` letters, the odd ones too.
    fn text(&mut self, most: u32) -> String {
        let length = self.roll(most + 1);
        (0..length).map(|_| *self.one_of(&LETTERS)).collect()
    }

    /// Any address, every fourth one of `around`.
    pub(super) fn address(&mut self, around: &[CalendarAddress]) -> CalendarAddress {
        if !around.is_empty() && self.roll(4) == 0 {
            return self.one_of(around).clone();
        }
        loop {
            let text = match self.roll(12) {
                0 => format!("urn:uuid:{}", self.text(20)),
                1 => format!("https://cal.example.org/principals/{}", self.text(20)),
                2 => format!("tel:+1-{}", self.roll(10_000)),
                3 => format!("{}@{}", self.text(900), self.one_of(&DOMAINS)),
                4 => format!("{}@{}example", self.text(8), "ab.".repeat(80)),
                5 => format!("anna@{}.example", self.text(20)),
                _ => format!("{}@{}", self.text(12), self.one_of(&DOMAINS)),
            };
            if let Ok(address) = CalendarAddress::new(&text) {
                return address;
            }
        }
    }

    /// Any request; its action need not fit its component.
    pub(super) fn request(&mut self, around: &[CalendarAddress]) -> AccessRequest {
        let method = self.word(&METHODS);
        let component = self.word(&COMPONENTS);
        let (originator, recipient) = (self.address(around), self.address(around));
        let mut request = AccessRequest::new(&method, &component, originator, recipient);
        match self.roll(8) {
            0 => request.action = Action::FreeBusy,
            1 => request.action = Action::Send,
            _ => {}
        }
        for _ in 0..self.roll(4) {
            let subject = self.address(around);
            let domain = match self.roll(2) {
                0 => request.originator.domain(),
                _ => subject.domain(),
            };
            request.proofs.push(match (self.roll(4), domain) {
                (0, Ok(domain)) => Proof::Dkim(domain.clone()),
                (1, Ok(domain)) => Proof::Mtls(domain.clone()),
                (2, _) => Proof::Mail(subject, MailProof::Dmarc),
                _ => Proof::Submission(subject),
            });
        }
        if self.roll(2) == 0 {
            request.organizer = Some(self.address(around));
            request.uid = Uid::new(self.text(60)).ok();
            request.message_id = Some(self.text(60));
            request.size = Some(u64::from(self.roll(u32::MAX)));
            request.peer = Some(std::net::Ipv4Addr::from(self.roll(u32::MAX)).into());
            request.sender = [
                None,
                Some(Acquaintance::Known),
                Some(Acquaintance::Stranger),
            ][self.roll(3) as usize];
        }
        for _ in 0..self.roll(4) {
            request.attributes.set(self.text(10), self.text(40));
        }
        request
    }

    fn word(&mut self, known: &[&str]) -> String {
        match self.roll(4) {
            0 => self.text(12),
            _ => (*self.one_of(known)).to_owned(),
        }
    }
}
