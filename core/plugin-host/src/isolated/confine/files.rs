//! Files, TCP ports and signals, by Landlock.

use super::Exec;
use crate::{Confinement, Connect};
use convoke_sdk::{Error, remote::NotOpened};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use std::path::PathBuf;

/// The newest rights that are known and tested; a kernel that has fewer takes away fewer.
const RIGHTS: ABI = ABI::V7;

/// What every plugin may read: the libraries it is linked to, and the time zones. Not `/dev/zero`, which is memory that no
/// limit counts.
const READ: [&str; 10] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/dev/random",
    "/dev/urandom",
];
/// What a program may read besides: what is written in its language and comes with the system.
const READ_OF_PROGRAMS: [&str; 4] = [
    "/usr/libexec",
    "/usr/share",
    "/usr/local/share",
    "/etc/ssl/openssl.cnf",
];
/// What it may write, too.
const WRITE: [&str; 1] = ["/dev/null"];
/// What it may read besides if it may connect: how names are looked up, and whom certificates may come from.
const READ_TO_CONNECT: [&str; 13] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
];

/// Takes away every file, port and signal that is not granted; answers what this kernel cannot take away.
pub(super) fn confine(to: &Confinement, exec: Option<&Exec<'_>>) -> Result<Vec<String>, NotOpened> {
    there(&to.read, "allow.read")?;
    there(&to.write, "allow.write")?;
    let status = restrict(to, exec).map_err(|error| NotOpened {
        error: Error::unavailable(format!("its process cannot be confined: {error}")),
        config_key: None,
    })?;
    let lack = match status {
        RulesetStatus::FullyEnforced => None,
        RulesetStatus::PartiallyEnforced => Some(
            "this kernel's Landlock is old; files or TCP ports that `allow` does not grant may be within its reach",
        ),
        RulesetStatus::NotEnforced => Some(
            "this kernel has no Landlock, so it can open every file that the host's user can, and `allow.connect` \
             cannot be held to ports",
        ),
    };
    Ok(lack.map(str::to_owned).into_iter().collect())
}

fn there(granted: &[PathBuf], key: &str) -> Result<(), NotOpened> {
    for (place, path) in granted.iter().enumerate() {
        if let Err(error) = path.metadata() {
            return Err(NotOpened {
                error: Error::invalid(format!(
                    "`{key}` grants {}, which cannot be looked at ({error}); make it, or correct the path",
                    path.display()
                )),
                config_key: Some(format!("{key}[{place}]")),
            });
        }
    }
    Ok(())
}

fn restrict(to: &Confinement, exec: Option<&Exec<'_>>) -> Result<RulesetStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let paths: &[&str] = match to.connect {
        Connect::Nowhere => &[],
        Connect::Anywhere | Connect::Ports(_) => &READ_TO_CONNECT,
    };
    let (programs, settings, run): (&[&str], _, &[PathBuf]) = match exec {
        Some(exec) => (&READ_OF_PROGRAMS, exec.settings.as_ref(), exec.files),
        None => (&[], None, &[]),
    };
    let created = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(ports(&to.connect))?
        .scope(scope(&to.connect))?
        .create()?
        // A path that is not there grants nothing.
        .add_rules(path_beneath_rules(READ.iter().chain(paths), read))?
        .add_rules(path_beneath_rules(programs, read))?
        .add_rules(path_beneath_rules(settings, read))?
        .add_rules(path_beneath_rules(
            run,
            AccessFs::ReadFile | AccessFs::Execute,
        ))?
        .add_rules(path_beneath_rules(WRITE, read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(&to.read, read))?
        .add_rules(path_beneath_rules(&to.write, write()))?;
    let granted: &[u16] = match &to.connect {
        Connect::Ports(ports) => ports,
        Connect::Nowhere | Connect::Anywhere => &[],
    };
    let ports = granted
        .iter()
        .map(|port| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp)));
    Ok(created.add_rules(ports)?.restrict_self()?.ruleset)
}

/// All that can be done with files and folders, but for running them and making devices.
fn write() -> BitFlags<AccessFs> {
    AccessFs::from_all(RIGHTS)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev)
}

fn ports(connect: &Connect) -> BitFlags<AccessNet> {
    match connect {
        Connect::Anywhere => AccessNet::BindTcp.into(),
        Connect::Nowhere | Connect::Ports(_) => AccessNet::BindTcp | AccessNet::ConnectTcp,
    }
}

fn scope(connect: &Connect) -> BitFlags<Scope> {
    match connect {
        Connect::Anywhere => Scope::Signal.into(),
        Connect::Nowhere | Connect::Ports(_) => Scope::Signal | Scope::AbstractUnixSocket,
    }
}
