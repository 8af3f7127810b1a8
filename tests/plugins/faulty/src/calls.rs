//! System calls that a plugin has no business to make.

#![allow(
    unsafe_code,
    reason = "they are made as a C library would not make them"
)]

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr, thread,
    time::Duration,
};

/// Sends to every socket that there is what is no message: too long, and nonsense.
pub(crate) fn garbage() {
    for socket in 0..512 {
        let text = [255_u8; 64];
        // SAFETY: the text is there as long as the call; whatever the number is, the system checks it.
        unsafe { libc::send(socket, text.as_ptr().cast(), text.len(), libc::MSG_DONTWAIT) };
    }
}

/// Starts threads, as small as can be, until there can be no more; they stay.
pub(crate) fn crowd() {
    let small = || thread::Builder::new().stack_size(16 * 1024);
    while small()
        .spawn(|| thread::sleep(Duration::from_secs(3600)))
        .is_ok()
    {}
    thread::sleep(Duration::from_secs(3600));
}

/// Makes the call of this name; after a colon, the folder to make files in.
pub(crate) fn make(what: &str) -> io::Result<()> {
    let (call, folder) = what.split_once(':').unwrap_or((what, "/"));
    let path = |name: &str| CString::new(format!("{folder}/{name}")).unwrap_or_default();
    let size = 1 << 20;
    let both = libc::PROT_READ | libc::PROT_WRITE;
    let map = |flags: libc::c_int, file: libc::c_int| {
        // SAFETY: a new mapping wherever there is room.
        let address = unsafe { libc::mmap(ptr::null_mut(), size, both, flags, file, 0) };
        if address == libc::MAP_FAILED { -1 } else { 0 }
    };
    let made = |mode: libc::mode_t, flags: libc::c_int| {
        let path = path("made");
        // SAFETY: the path ends with a zero.
        let file = unsafe { libc::open(path.as_ptr(), flags | libc::O_RDWR, mode) };
        opened(file)
    };
    let changed = |mode: libc::mode_t| {
        let file = made(0o600, libc::O_CREAT)?;
        // SAFETY: the descriptor is open.
        Ok::<_, io::Error>(unsafe { libc::fchmod(file.as_raw_fd(), mode) })
    };
    let control = |command: libc::c_int, argument: libc::c_int| {
        let (pipe, _) = io::pipe()?;
        // SAFETY: the descriptor is open, and the commands take a number.
        Ok::<_, io::Error>(unsafe { libc::fcntl(pipe.as_raw_fd(), command, argument) })
    };
    // SAFETY (all of these): paths end with a zero, structures are as the call wants them, and what is made is dropped.
    let answer = match call {
        "chmod" => unsafe { libc::chmod(path("made").as_ptr(), 0o600) },
        "fchmod" => changed(0o640)?,
        "fchmod-setuid" => changed(0o4755)?,
        "fchmod-setgid" => changed(0o2755)?,
        "open" => made(0o644, libc::O_CREAT).map(|_| 0)?,
        "open-setuid" => made(0o4755, libc::O_CREAT).map(|_| 0)?,
        "open-setgid" => made(0o2755, libc::O_CREAT).map(|_| 0)?,
        "mkdir" => unsafe { libc::mkdir(path("folder").as_ptr(), 0o755) },
        "mkdir-setgid" => unsafe { libc::mkdirat(-1, path("folder").as_ptr(), 0o2755) },
        "mknod-setuid" => unsafe { libc::mknod(path("node").as_ptr(), libc::S_IFREG | 0o4755, 0) },
        "openat2" => unsafe {
            let name = path("created");
            i32::try_from(libc::syscall(
                libc::SYS_openat2,
                -1,
                name.as_ptr(),
                &[0_u64; 3],
                24,
            ))
            .unwrap_or(-1)
        },
        "getfl" => control(libc::F_GETFL, 0)?,
        "setown" => control(libc::F_SETOWN, 1)?,
        "setown-ex" => control(15, 0)?,
        "setsig" => control(10, libc::SIGKILL)?,
        "async" => control(libc::F_SETFL, libc::O_ASYNC)?,
        "lease" => control(libc::F_SETLEASE, libc::F_RDLCK)?,
        "pipe-size" => control(libc::F_SETPIPE_SZ, 1 << 20)?,
        "private" => map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
        "shared" => map(libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1),
        "grows" => map(
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_GROWSDOWN,
            -1,
        ),
        "shared-file" => map(libc::MAP_SHARED, made(0o600, libc::O_CREAT)?.as_raw_fd()),
        "zeroes" => {
            let file = unsafe { libc::open(c"/dev/zero".as_ptr(), libc::O_RDONLY) };
            opened(file).map(|_| 0)?
        }
        "memfd" => unsafe { libc::memfd_create(c"mine".as_ptr(), 0) },
        "shmget" => unsafe { libc::shmget(libc::IPC_PRIVATE, size, libc::IPC_CREAT | 0o600) },
        "msgget" => unsafe { libc::msgget(libc::IPC_PRIVATE, libc::IPC_CREAT | 0o600) },
        "semget" => unsafe { libc::semget(libc::IPC_PRIVATE, 1, libc::IPC_CREAT | 0o600) },
        other => return Err(io::Error::other(format!("no call is called {other}"))),
    };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn opened(file: libc::c_int) -> io::Result<OwnedFd> {
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was opened just now, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(file) })
}
