//! Prints zones as VTIMEZONEs: `vtimezone FROM TO NAME…`, instants such as `2027-01-04T00:00:00Z`.

use convoke_calendar::{
    tree::Calendar,
    zone::{by_name, vtimezone},
};
use std::{
    env,
    error::Error,
    io::{self, Write},
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [from, to, names @ ..] = arguments.as_slice() else {
        return Err("usage: vtimezone FROM TO NAME…".into());
    };
    let (from, to) = (from.parse()?, to.parse()?);
    let mut calendar = Calendar::new();
    for name in names {
        let zone = by_name(name).ok_or_else(|| format!("`{name}` is no zone"))?;
        let component = vtimezone(name, &zone, from, to);
        calendar.root_mut().components.push(component);
    }
    io::stdout().write_all(&calendar.write())?;
    Ok(())
}
