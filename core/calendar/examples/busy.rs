//! Tells when calendar files make their owner busy: `busy FROM TO FILE…`, instants such as `2027-01-04T00:00:00Z`.

use convoke_calendar::{
    freebusy::busy,
    tree::{Calendar, Limits},
};
use convoke_types::TimeRange;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [from, to, files @ ..] = arguments.as_slice() else {
        return Err("usage: busy FROM TO FILE…".into());
    };
    let range = TimeRange::new(from.parse()?, to.parse()?)?;
    let limits = Limits::default();
    for file in files {
        for object in Calendar::parse(&fs::read(file)?, &limits)?.split_by_uid() {
            match busy(&object, None, range, &limits) {
                Ok(spans) => spans.iter().for_each(|span| {
                    println!(
                        "{file} {} {} {}",
                        span.kind,
                        span.range.start(),
                        span.range.end()
                    );
                }),
                Err(error) => println!("{file} error: {error}"),
            }
        }
    }
    Ok(())
}
