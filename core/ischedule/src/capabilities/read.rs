//! Reading a receiver's capabilities as deployed peers write them.

use super::{Attachments, Capabilities, DataType, Supported, read_utc_date_time};
use crate::{
    Deviations,
    xml::{Element, Limits, XmlError, parse},
};
use std::str::FromStr;

impl Capabilities {
    /// Reads the document of a receiver.
    ///
    /// An empty or unreadable element counts as not stated, an unknown one is ignored.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, XmlError> {
        Self::read_reporting(bytes, limits, &mut Deviations::default())
    }

    /// [`Self::read`], and reports where the peer deviates.
    pub fn read_reporting(
        bytes: &[u8],
        limits: &Limits,
        deviations: &mut Deviations,
    ) -> Result<Self, XmlError> {
        let root: Element = parse(bytes, limits)?;
        let document = root
            .child("capabilities")
            .filter(|_| root.is("query-result"))
            .ok_or_else(|| root.is_wrong_root("query-result/capabilities"))?;
        if !root.has_namespace() {
            deviations.report("§4", "query-result is in no namespace");
        }
        let mut from = From {
            document,
            deviations,
        };
        Ok(Self {
            serial: from.number("serial-number").unwrap_or_else(|| {
                from.deviations.report("§4", "serial-number is missing");
                0
            }),
            versions: from.list("versions", "version", text),
            messages: from.list("scheduling-messages", "component", supported),
            data_types: from.list("calendar-data-types", "calendar-data-type", data_type),
            attachments: document.child("attachments").map(|forms| Attachments {
                inline: forms.child("inline").is_some(),
                external: forms.child("external").is_some(),
            }),
            rscales: from.list("rscales", "rscale", text),
            max_content_length: from.number("max-content-length"),
            min_date_time: from.value("min-date-time", read_utc_date_time),
            max_date_time: from.value("max-date-time", read_utc_date_time),
            max_instances: from.number("max-instances"),
            // 0 would mean that nobody may be sent anything; a split into parts of 0 has no end.
            max_recipients: from.value("max-recipients", positive),
            administrator: from.value("administrator", |text| Some(text.to_owned())),
        })
    }
}

struct From<'a> {
    document: &'a Element,
    deviations: &'a mut Deviations,
}

impl From<'_> {
    fn value<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.document.child(name)?.text();
        if text.is_empty() {
            self.deviations.report("§4", format!("{name} is empty"));
            return None;
        }
        let value = read(text);
        if value.is_none() {
            let text: String = text.chars().take(60).collect();
            self.deviations
                .report("§4", format!("{name} `{text}` cannot be read"));
        }
        value
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.value(name, |text| u64::from_str(text).ok())
    }

    fn list<T>(&mut self, name: &str, item: &str, read: fn(&Element) -> Option<T>) -> Vec<T> {
        let Some(list) = self.document.child(name) else {
            if name != "rscales" {
                self.deviations.report("§4", format!("{name} is missing"));
            }
            return Vec::new();
        };
        list.all(item).filter_map(read).collect()
    }
}

fn text(element: &Element) -> Option<String> {
    let text = element.text();
    (!text.is_empty()).then(|| text.to_owned())
}

fn positive(text: &str) -> Option<u64> {
    u64::from_str(text).ok().filter(|&n| n > 0)
}

fn supported(element: &Element) -> Option<Supported> {
    let methods: Vec<&str> = element
        .all("method")
        .filter_map(|method| method.attribute("name"))
        .collect();
    Some(Supported::new(element.attribute("name")?, &methods))
}

fn data_type(element: &Element) -> Option<DataType> {
    Some(DataType {
        content_type: element.attribute("content-type")?.to_ascii_lowercase(),
        version: element.attribute("version").map(str::to_owned),
    })
}
