//! The file system that a program sees: built empty, filled with read-only binds, and closed.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, mkfifo, pivot_root, unlinkat};

use crate::error::Failure;
use crate::wire::Open;
use crate::{Half, Profile};

/// Where the host's files are while the root is being built.
const OLD: &str = "/.old";
/// The program's directory.
pub(crate) const WORK: &str = "/w";
/// The devices there are. All are bound from the host: a user namespace may not make any.
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"];

/// Where programs look for their input by name. There is no `/proc` to which such names lead elsewhere, so it is a file
/// with a copy of the input, or a FIFO for what a partner writes.
pub(crate) const STDIN: &str = "/dev/stdin";
/// FIFOs that are the standard output and error of programs, for those that open them by name too.
pub(crate) const STDOUT: &str = "/dev/stdout";
pub(crate) const STDERR: &str = "/dev/stderr";

/// Where semaphores and shared memory with names are.
const SHARED_MEMORY: &str = "/dev/shm";

const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;

/// What the program can reach, for Landlock to confirm.
pub(crate) struct Reach {
    pub(crate) read_only: Vec<PathBuf>,
    /// Devices and FIFOs, to be read and written.
    pub(crate) devices: Vec<PathBuf>,
    /// The file with the input, to be read.
    pub(crate) input: Option<PathBuf>,
}

/// What programs find by the names of their standard streams.
pub(crate) struct StreamFiles {
    /// A file to be written to, or the reading end of a FIFO, which does not block.
    pub(crate) stdin: File,
    /// Reading ends that do not block.
    pub(crate) stdout: File,
    pub(crate) stderr: File,
}

/// `/dev` through a mount of its own, which stays writable when the root does not.
pub(crate) struct Devices(OwnedFd);

/// Swaps the root for an empty tmpfs with the devices in it. The host's files stay reachable below [`OLD`] until
/// [`fill`] is done.
pub(crate) fn prepare() -> Result<Devices, Failure> {
    let none = None::<&str>;
    // Nothing that we mount may show on the host.
    step("making all mounts private", mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    step("mounting the root tmpfs", mount(Some("root"), "/tmp", Some("tmpfs"), flags, Some("mode=0755")))?;
    io_step("creating the old root's place", fs::create_dir(format!("/tmp{OLD}")))?;
    step("pivoting the root", pivot_root("/tmp", format!("/tmp{OLD}").as_str()))?;
    io_step("entering the root", std::env::set_current_dir("/"))?;
    io_step("creating /dev", fs::create_dir("/dev"))?;
    let old = old_root()?;
    for device in DEVICES {
        io_step(device, File::create(device).map(drop))?;
        let source = open(&old, device, true)?;
        io_step_named(
            "binding",
            device,
            crate::sys::bind(source.as_fd(), &c_string(device)?, READ_ONLY | libc::MOUNT_ATTR_NOEXEC),
        )?;
    }
    io_step("making the standard streams' names", name_streams())
}

fn name_streams() -> io::Result<Devices> {
    fs::create_dir("/dev/fd")?;
    for (number, name) in [STDIN, STDOUT, STDERR].into_iter().enumerate() {
        symlink(name, format!("/dev/fd/{number}"))?;
    }
    File::create_new(STDIN)?.set_permissions(Permissions::from_mode(0o444))?;
    make_fifo(STDOUT)?;
    make_fifo(STDERR)?;
    Ok(Devices(crate::sys::detached(File::open("/dev")?.as_fd())?))
}

impl Devices {
    /// Opens what [`fill`] has left there for `job`, and takes away the names that would lead it astray.
    pub(crate) fn streams(&self, job: &Open) -> Result<StreamFiles, Failure> {
        let open = |name: &str, flags| {
            let opened = openat(&self.0, name, flags | OFlag::O_CLOEXEC, Mode::empty());
            step_named("opening the standard stream", name, opened).map(File::from)
        };
        let reading_end = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
        let is_first = job.needs.talks == Some(Half::First);
        let streams = StreamFiles {
            stdin: open("stdin", if is_first { reading_end } else { OFlag::O_RDWR })?,
            stdout: open("stdout", reading_end)?,
            stderr: open("stderr", reading_end)?,
        };
        if job.needs.talks == Some(Half::Second) {
            for name in ["stdin", "stdout"] {
                step_named("removing the stream", name, unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir))?;
            }
        }
        Ok(streams)
    }
}

fn make_fifo(path: &str) -> io::Result<()> {
    Ok(mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?)
}

/// Fills the root for `job`, drops the host's files and makes what is left read-only.
pub(crate) fn fill(job: &Open, files: Vec<Option<OwnedFd>>) -> Result<Reach, Failure> {
    let old = old_root()?;
    let (fifos, input): (&[&str], _) = match job.needs.talks {
        None => (&[STDOUT, STDERR], Some(STDIN.into())),
        // The cell opens both ends of all.
        Some(Half::First) => (&[STDIN, STDOUT, STDERR], None),
        Some(Half::Second) => (&[STDERR], None),
    };
    let devices = DEVICES.iter().chain(fifos).map(PathBuf::from);
    let mut reach = Reach { read_only: Vec::new(), devices: devices.collect(), input };
    for path in &job.root {
        if let Some(bound) = bind(&old, path)? {
            reach.read_only.push(bound);
        }
    }
    drop(old);
    for (path, text) in &job.needs.stand_ins {
        reach.read_only.push(make_stand_in(path, text)?);
    }
    for (path, target) in &job.needs.links {
        let link = place_for_stand_in(path)?;
        io_step_named("making the link", path, symlink(target, link))?;
    }
    if job.needs.talks == Some(Half::First) {
        io_step("making /dev/stdin a FIFO", fs::remove_file(STDIN).and_then(|()| make_fifo(STDIN)))?;
    }
    io_step("creating /w", fs::create_dir(WORK))?;
    if job.profile == Profile::Build {
        let options = format!("size={},nr_inodes={},mode=0700", job.tmpfs_bytes, job.tmpfs_inodes);
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        step(
            "mounting the sized tmpfs",
            mount(Some("w"), WORK, Some("tmpfs"), flags, Some(options.as_str())),
        )?;
        for (link, target) in [("/tmp", "w"), (SHARED_MEMORY, "../w")] {
            io_step_named("linking", link, symlink(target, link))?;
        }
    }
    if job.profile == Profile::Run {
        make_directories(job)?;
    }
    place_all(job, files)?;
    step("dropping the host's files", umount2(OLD, MntFlags::MNT_DETACH))?;
    io_step("removing the old root's place", fs::remove_dir(OLD))?;
    let flags =
        MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    step("making the root read-only", mount(None::<&str>, "/", None::<&str>, flags, None::<&str>))?;
    io_step("entering /w", std::env::set_current_dir(WORK))?;
    Ok(reach)
}

/// Makes the pids of a reusable cell start at a random number, since a pid that counts the runs before would tell a
/// program which testcase it is given. Needs a kernel with checkpoint-restore, as distributions build it.
pub(crate) fn scatter_pids(last_pid: &File) -> io::Result<()> {
    let start = 300 + crate::sys::Key::random()?.value() % 30_000;
    last_pid.write_all_at(start.to_string().as_bytes(), 0)
}

/// The file by which a process sets the last pid of its own namespace.
pub(crate) fn last_pid() -> io::Result<File> {
    File::options().write(true).open(format!("{OLD}/proc/sys/kernel/ns_last_pid"))
}

/// Makes the empty directories of `job`.
pub(crate) fn make_directories(job: &Open) -> Result<(), Failure> {
    for directory in job.directories.iter().filter(|name| is_plain(name)) {
        let made = fs::create_dir_all(Path::new(WORK).join(directory));
        made.map_err(|error| Failure::step(format!("making the directory `{directory}`"), &error))?;
    }
    Ok(())
}

/// Places the files of `job`; one whose descriptor is not there is not placed.
pub(crate) fn place_all(job: &Open, files: Vec<Option<OwnedFd>>) -> Result<(), Failure> {
    for (file, fd) in job.files.iter().zip(files) {
        let Some(fd) = fd else { continue };
        place(&file.name, file.executable, fd)
            .map_err(|error| Failure::step(format!("placing the file `{}`", file.name), &error))?;
    }
    Ok(())
}

/// Binds the host's `path` at the same place; a link is made again as that link, and is nothing to reach by itself.
fn bind(old: &OwnedFd, path: &str) -> Result<Option<PathBuf>, Failure> {
    let target = Path::new(path);
    if !target.is_absolute() || target.components().any(|part| part == Component::ParentDir) {
        return Err(Failure::InvalidJob(format!("root entry `{path}` is not an absolute path without `..`")));
    }
    let source = open(old, path, false)?;
    let handle = File::from(source.try_clone().map_err(|error| Failure::step(path, &error))?);
    let metadata = io_step_named("looking at", path, handle.metadata())?;
    if let Some(parent) = target.parent() {
        io_step_named("making the parents of", path, fs::create_dir_all(parent))?;
    }
    if metadata.is_symlink() {
        let link = nix::fcntl::readlinkat(&handle, "");
        let link = step_named("reading the link", path, link)?;
        return match symlink(&link, target) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(Failure::step(format!("making the link `{path}`"), &error))
            }
            _ => Ok(None),
        };
    }
    if !target.exists() {
        let made = if metadata.is_dir() { fs::create_dir(target) } else { File::create(target).map(drop) };
        io_step_named("making a place for", path, made)?;
    }
    io_step_named(
        "binding",
        path,
        crate::sys::bind(source.as_fd(), &c_string(path)?, READ_ONLY | libc::MOUNT_ATTR_NODEV),
    )?;
    Ok(Some(target.to_path_buf()))
}

/// Makes a file at an absolute path where the root has nothing.
fn make_stand_in(path: &str, text: &str) -> Result<PathBuf, Failure> {
    let target = place_for_stand_in(path)?;
    let made = File::create_new(target).and_then(|mut file| file.write_all(text.as_bytes()));
    io_step_named("making the stand-in", path, made)?;
    Ok(target.to_path_buf())
}

/// Makes the parents of a stand-in, which has to be an absolute path without `..`.
fn place_for_stand_in(path: &str) -> Result<&Path, Failure> {
    let target = Path::new(path);
    if !target.is_absolute() || !is_plain(path.trim_start_matches('/')) {
        let what = format!("the stand-in `{path}` is not an absolute path without `..`");
        return Err(Failure::InvalidJob(what));
    }
    if let Some(parent) = target.parent() {
        io_step_named("making the parents of", path, fs::create_dir_all(parent))?;
    }
    Ok(target)
}

/// Copies the sealed file `fd` to `name` below `/w`. The client has checked the name; it is checked again because this
/// is the side that would suffer.
fn place(name: &str, executable: bool, fd: OwnedFd) -> io::Result<()> {
    if !is_plain(name) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let target = Path::new(WORK).join(name);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::options().write(true).create_new(true).open(&target)?;
    io::copy(&mut File::from(fd), &mut file)?;
    file.flush()?;
    file.set_permissions(Permissions::from_mode(if executable { 0o755 } else { 0o644 }))
}

/// Whether `name` is a relative path of plain components.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 1024
        && !name.ends_with('/')
        && !name.contains('\0')
        && Path::new(OsStr::from_bytes(name.as_bytes()))
            .components()
            .all(|part| matches!(part, Component::Normal(text) if text.len() < 256))
}

fn old_root() -> Result<OwnedFd, Failure> {
    io_step("opening the old root", File::open(OLD)).map(OwnedFd::from)
}

fn open(old: &OwnedFd, path: &str, follow: bool) -> Result<OwnedFd, Failure> {
    let opened = crate::sys::open_in_root(old.as_fd(), &c_string(path)?, follow);
    io_step_named("opening the root entry", path, opened)
}

fn c_string(path: &str) -> Result<CString, Failure> {
    CString::new(path).map_err(|_| Failure::InvalidJob(format!("`{}` contains NUL", path.escape_debug())))
}

fn step<T>(what: &str, result: nix::Result<T>) -> Result<T, Failure> {
    result.map_err(|errno| Failure::step(what, &errno.into()))
}

fn step_named<T>(what: &str, path: &str, result: nix::Result<T>) -> Result<T, Failure> {
    result.map_err(|errno| Failure::step(format!("{what} `{path}`"), &errno.into()))
}

fn io_step<T>(what: &str, result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure::step(what, &error))
}

fn io_step_named<T>(what: &str, path: &str, result: io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| Failure::step(format!("{what} `{path}`"), &error))
}
