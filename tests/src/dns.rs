//! A name server that a test fills, breaks and counts the questions of.
//!
//! Authoritative for everything: a name without records does not exist. UDP and TCP, on one port of the loopback
//! address. Its threads end with the test's process.

use hickory_proto::{
    dnssec::{
        Algorithm, DnssecSigner, SigningKey,
        crypto::EcdsaSigningKey,
        rdata::{DNSKEY, DNSSECRData, RRSIG},
    },
    op::{Message, OpCode, ResponseCode},
    rr::{
        DNSClass, Name, RData, Record, RecordSet, RecordType,
        rdata::{A, CNAME, SOA, SRV, TXT},
    },
};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use time::OffsetDateTime;

/// How long signatures hold.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The TTL of records, and of their absence, until a test says otherwise.
const TTL: u32 = 300;

/// A name server for one test.
#[derive(Clone)]
pub struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

#[derive(Default)]
struct Zone {
    /// By name, in lower case without a dot at the end.
    records: HashMap<String, Vec<Record>>,
    broken: HashMap<String, Broken>,
    asked: HashMap<(String, RecordType), usize>,
    ttl: Option<u32>,
    truncates: bool,
}

/// How a name is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// SERVFAIL.
    Fails,
    /// No answer at all.
    Silent,
}

impl NameServer {
    /// Starts a server without names.
    ///
    /// # Panics
    ///
    /// If the system gives no port.
    #[allow(clippy::new_without_default, reason = "it starts something")]
    pub fn new() -> Self {
        let (tcp, udp) = sockets();
        let server = Self {
            address: tcp.local_addr().expect("a bound socket has an address"),
            zone: Arc::default(),
        };
        let by_udp = server.clone();
        thread::spawn(move || by_udp.serve_udp(&udp));
        let by_tcp = server.clone();
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let server = by_tcp.clone();
                thread::spawn(move || server.serve_tcp(stream));
            }
        });
        server
    }

    /// Where it listens: for `nameservers`.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The TTL of all that is added from now on, and of what does not exist.
    #[must_use]
    pub fn ttl(self, seconds: u32) -> Self {
        self.zone().ttl = Some(seconds);
        self
    }

    /// Answers by UDP say that they are truncated.
    #[must_use]
    pub fn truncating(self) -> Self {
        self.zone().truncates = true;
        self
    }

    /// Adds a TXT record; long texts are split into strings of 255 bytes.
    pub fn txt(&self, name: &str, text: &str) -> &Self {
        let strings = text.as_bytes().chunks(255).collect();
        self.add(name, RData::TXT(TXT::from_bytes(strings)))
    }

    /// Adds an SRV record; the target `""` is the root.
    pub fn srv(&self, name: &str, priority: u16, weight: u16, port: u16, target: &str) -> &Self {
        let srv = SRV::new(priority, weight, port, fqdn(target));
        self.add(name, RData::SRV(srv))
    }

    /// Adds an address.
    pub fn a(&self, name: &str, address: Ipv4Addr) -> &Self {
        self.add(name, RData::A(A(address)))
    }

    /// Adds an alias.
    pub fn cname(&self, name: &str, target: &str) -> &Self {
        self.add(name, RData::CNAME(CNAME(fqdn(target))))
    }

    /// Forgets all records of a name.
    pub fn remove(&self, name: &str) -> &Self {
        self.zone().records.remove(&key(&fqdn(name)));
        self
    }

    /// Signs everything below `zone` that is there now (RFC 4034), and gives what validation may begin from: a line
    /// for a file of trust anchors.
    ///
    /// # Panics
    ///
    /// If no key can be made.
    pub fn sign(&self, zone: &str) -> String {
        let (apex, algorithm) = (fqdn(zone), Algorithm::ECDSAP256SHA256);
        let pkcs8 = EcdsaSigningKey::generate_pkcs8(algorithm).expect("a key can be made");
        let key = EcdsaSigningKey::from_pkcs8(&pkcs8, algorithm).expect("a key is a key");
        let public = key.to_public_key().expect("a key has a public half");
        let public = DNSKEY::new(true, true, false, public);
        let anchor = format!("{apex} IN DNSKEY {public}\n");
        let signer = DnssecSigner::new(public.clone(), Box::new(key), apex.clone(), DAY);
        self.add(zone, RData::DNSSEC(DNSSECRData::DNSKEY(public)));
        let mut zone = self.zone();
        let below = |name: &&mut Vec<Record>| name.iter().all(|it| apex.zone_of(&it.name));
        for records in zone.records.values_mut().filter(below) {
            let mut kinds: Vec<_> = records.iter().map(Record::record_type).collect();
            kinds.sort_unstable();
            kinds.dedup();
            for kind in kinds {
                records.push(signature(records, kind, &signer));
            }
        }
        drop(zone);
        anchor
    }

    /// Answers questions about a name no more, or again.
    pub fn break_name(&self, name: &str, how: Option<Broken>) -> &Self {
        let key = key(&fqdn(name));
        let mut zone = self.zone();
        match how {
            Some(how) => drop(zone.broken.insert(key, how)),
            None => drop(zone.broken.remove(&key)),
        }
        drop(zone);
        self
    }

    /// How often it was asked for records of that type (`TXT`) of a name.
    ///
    /// # Panics
    ///
    /// If there is no such type.
    pub fn asked(&self, name: &str, kind: &str) -> usize {
        let kind = kind.parse().expect("a record type");
        let asked = (key(&fqdn(name)), kind);
        self.zone().asked.get(&asked).copied().unwrap_or(0)
    }

    fn add(&self, name: &str, data: RData) -> &Self {
        let name = fqdn(name);
        let mut zone = self.zone();
        let record = Record::from_rdata(name.clone(), zone.ttl.unwrap_or(TTL), data);
        zone.records.entry(key(&name)).or_default().push(record);
        drop(zone);
        self
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve_udp(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let Some(mut answer) = self.answer(&buffer[..length]) else {
                continue;
            };
            if self.zone().truncates {
                answer.answers.clear();
                answer.authorities.clear();
                answer.metadata.truncation = true;
            }
            let bytes = answer.to_vec().expect("an answer can be written");
            let _ = socket.send_to(&bytes, peer);
        }
    }

    fn serve_tcp(&self, mut stream: TcpStream) {
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            if stream.read_exact(&mut question).is_err() {
                return;
            }
            let Some(answer) = self.answer(&question) else {
                continue;
            };
            let bytes = answer.to_vec().expect("an answer can be written");
            let length = u16::try_from(bytes.len()).expect("tests have short answers");
            let framed = [&length.to_be_bytes()[..], &bytes].concat();
            if stream.write_all(&framed).is_err() {
                return;
            }
        }
    }

    /// `None` if there is to be no answer.
    fn answer(&self, question: &[u8]) -> Option<Message> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first()?.clone();
        let (name, kind) = (query.name.clone(), query.query_type);
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.metadata.authoritative = true;
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(query);
        let mut zone = self.zone();
        *zone.asked.entry((key(&name), kind)).or_default() += 1;
        match zone.broken.get(&key(&name)) {
            Some(Broken::Silent) => return None,
            Some(Broken::Fails) => answer.metadata.response_code = ResponseCode::ServFail,
            None => zone.look_up(&name, kind, &mut answer),
        }
        Some(answer)
    }
}

impl Zone {
    fn look_up(&self, name: &Name, kind: RecordType, answer: &mut Message) {
        let mut name = name.clone();
        // Aliases are followed as far as a patient server would.
        for _ in 0..16 {
            let records = self.records.get(&key(&name)).map_or(&[][..], Vec::as_slice);
            let mut asked = records
                .iter()
                .filter(|it| it.record_type() == kind)
                .cloned();
            if let Some(first) = asked.next() {
                answer.add_answer(first);
                answer.add_answers(asked);
                answer.add_answers(records.iter().filter(|it| covers(it, kind)).cloned());
                return;
            }
            let alias = records.iter().find_map(|record| match &record.data {
                RData::CNAME(target) => Some((record.clone(), target.0.clone())),
                _ => None,
            });
            let Some((record, target)) = alias else {
                if records.is_empty() {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                answer.add_authority(self.start_of_authority());
                return;
            };
            answer.add_answer(record);
            name = target;
        }
    }

    fn start_of_authority(&self) -> Record {
        let ttl = self.ttl.unwrap_or(TTL);
        let soa = SOA::new(fqdn("ns.example"), fqdn("admin.example"), 1, 1, 1, 1, ttl);
        Record::from_rdata(Name::root(), ttl, RData::SOA(soa))
    }
}

/// The signature of the records of one kind.
fn signature(records: &[Record], kind: RecordType, signer: &DnssecSigner) -> Record {
    let alike: Vec<&Record> = records
        .iter()
        .filter(|it| it.record_type() == kind)
        .collect();
    let (name, ttl) = (alike[0].name.clone(), alike[0].ttl);
    let mut set = RecordSet::new(name.clone(), kind, 0);
    for record in alike {
        set.insert(record.clone(), 0);
    }
    let begun = OffsetDateTime::now_utc() - DAY / 2;
    let signature = RRSIG::from_rrset(&set, DNSClass::IN, begun, signer).expect("the key signs");
    Record::from_rdata(name, ttl, RData::DNSSEC(DNSSECRData::RRSIG(signature)))
}

fn covers(record: &Record, kind: RecordType) -> bool {
    matches!(&record.data, RData::DNSSEC(DNSSECRData::RRSIG(signature)) if signature.input().type_covered == kind)
}

fn fqdn(name: &str) -> Name {
    let mut name = Name::from_ascii(name).expect("tests name real names");
    name.set_fqdn(true);
    name
}

fn key(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

/// TCP and UDP on one port.
fn sockets() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("the system has ports");
        let address = tcp.local_addr().expect("a bound socket has an address");
        // Somebody else may have the port for UDP.
        if let Ok(udp) = UdpSocket::bind(address) {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both TCP and UDP");
}
