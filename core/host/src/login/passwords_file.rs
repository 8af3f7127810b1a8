//! The htpasswd file: a login and the hash of its password on each line.

use super::{UsersError, passwords::Hash};
use convoke_types::{CalendarAddress, Domain};
use std::{collections::HashMap, fs, path::Path};

/// Who may log in, and by what.
pub(super) struct Login {
    pub(super) address: CalendarAddress,
    pub(super) hash: Hash,
    /// From 1.
    line: usize,
}

/// Reads a file. A login without `@` is one of `domain`.
pub(super) fn read(path: &Path, domain: &Domain) -> Result<Vec<Login>, UsersError> {
    let text = fs::read_to_string(path).map_err(|error| UsersError::Unreadable {
        file: path.to_owned(),
        error,
    })?;
    parse(&text, path, domain)
}

/// Reads the text of the file at `path`.
pub(super) fn parse(text: &str, path: &Path, domain: &Domain) -> Result<Vec<Login>, UsersError> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(number, line)| (number + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            login(number, line, domain).map_err(|problem| UsersError::Line {
                file: path.to_owned(),
                line: number,
                problem,
            })
        })
        .collect()
}

fn login(number: usize, line: &str, domain: &Domain) -> Result<Login, String> {
    let (login, hash) = line
        .split_once(':')
        .ok_or("this is not `login:hash`; `htpasswd -B -C 10` writes such lines")?;
    let login = if login.contains('@') {
        login.to_owned()
    } else {
        format!("{login}@{domain}")
    };
    Ok(Login {
        address: CalendarAddress::new(&login).map_err(|error| error.to_string())?,
        hash: Hash::read(hash)
            .map_err(|what| format!("{what}; make the line anew with `htpasswd -B -C 10`"))?,
        line: number,
    })
}

/// Who may log in by a file; nobody, if it cannot be read.
pub(crate) fn addresses(path: &Path, domain: &Domain) -> Vec<CalendarAddress> {
    let logins = read(path, domain).unwrap_or_default();
    logins.into_iter().map(|it| it.address).collect()
}

/// How many can log in by a file, and what an administrator should know of it.
pub(crate) fn remarks(path: &Path, domains: &[Domain]) -> Result<(usize, Vec<String>), UsersError> {
    let logins = read(path, &domains[0])?;
    let file = path.display();
    let mut remarks = Vec::new();
    if logins.is_empty() {
        remarks.push(format!(
            "{file}: it is empty, so nobody can log in; add somebody: htpasswd -B -C 10 {file} anna@{}",
            domains[0]
        ));
    }
    let mut lines: HashMap<String, usize> = HashMap::new();
    for Login {
        address,
        hash,
        line,
    } in &logins
    {
        let who = address.human();
        if let Some(why) = hash.weakness() {
            remarks.push(format!(
                "{file}:{line}: {who}: {why}; make the line anew with `htpasswd -B -C 10`"
            ));
        }
        if address
            .domain()
            .is_ok_and(|domain| !domains.contains(domain))
        {
            remarks.push(format!(
                "{file}:{line}: {who} is at none of `[server] domains`, so no calendar is theirs"
            ));
        }
        if let Some(before) = lines.insert(super::key(address), *line) {
            remarks.push(format!(
                "{file}:{line}: {who} stands in line {before} already; this one counts, take the other out"
            ));
        }
    }
    Ok((lines.len(), remarks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Domain {
        "example.org".parse().unwrap()
    }

    #[test]
    fn a_line_that_cannot_be_used_is_named() {
        for (text, expected) in [
            ("anna", "users:1: this is not"),
            ("\nanna:{SHA}abc", "users:2: this is SHA-1, without a salt"),
            ("anna:$apr1$x$y", "users:1: this is MD5"),
            ("anna:$6$x$y", "users:1: this is crypt"),
            ("anna:ab1234567890.", "users:1: this is DES"),
            ("anna:secret", "users:1: this is a password in the clear"),
        ] {
            let error = parse(text, Path::new("users"), &own()).err().unwrap();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn what_can_be_used_and_should_not_is_remarked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let weak = bcrypt::hash("x", 4).unwrap();
        let said = |text: &str| {
            fs::write(&file, text).unwrap();
            remarks(&file, &[own()]).unwrap()
        };
        let (logins, remarks) = said(&format!(
            "anna:{weak}\nbo@elsewhere.example:{weak}\nANNA@example.org:{weak}\n"
        ));
        assert_eq!(logins, 2, "{remarks:?}");
        for (part, count) in [
            ("cost 4", 3),
            (":2: bo@elsewhere.example is at none of", 1),
            ("stands in line 1 already", 1),
        ] {
            let found = remarks.iter().filter(|it| it.contains(part)).count();
            assert_eq!(found, count, "{part}: {remarks:?}");
        }
        assert!(said("# nobody yet\n").1[0].contains("nobody can log in"));
    }
}
