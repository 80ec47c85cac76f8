//! A store, a context, and the ports of a build.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tug_builder::ports::{ExecMountSource, Stream};
use tug_builder::{
    BuildError, BuildRequest, Built, Cancel, DockerfileSource, Event, Events, ExecError, ExecOutcome,
    ExecStep, Executor, ImageSource, ImageSourceError, OutputSink, Ports, PullPolicy, build,
};
use tug_oci::{Platform, Reference};
use tug_store::Store;
use tug_store::image::Image;
use tug_store::view::{Entry, EntryKind, Links, View};

/// A place to build in.
pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    images: Mutex<BTreeMap<String, Image>>,
}

/// What came of a build.
pub(crate) struct Outcome {
    pub(crate) result: Result<Built, BuildError>,
    pub(crate) events: Vec<Event>,
    /// The commands that ran.
    pub(crate) ran: Vec<String>,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        fs::create_dir(folder.path().join("context")).unwrap();
        World { folder, store, images: Mutex::default() }
    }

    pub(crate) fn context(&self) -> PathBuf {
        self.folder.path().join("context")
    }

    /// Writes a file of the context, old enough to be believed unchanged.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.context().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub(crate) fn request(&self, dockerfile: &str) -> BuildRequest {
        let source = DockerfileSource {
            name: "Dockerfile".into(),
            bytes: dockerfile.as_bytes().to_vec(),
            ignore: None,
        };
        let mut request = BuildRequest::new(self.context(), source);
        request.platform = Some(Platform::new("linux", "amd64"));
        request
    }

    pub(crate) fn build(&self, dockerfile: &str) -> Outcome {
        self.build_request(&self.request(dockerfile))
    }

    pub(crate) fn build_request(&self, request: &BuildRequest) -> Outcome {
        let executor = Words::default();
        let events = Log::default();
        let ports = Ports { store: &self.store, executor: &executor, images: self, events: &events };
        let result = build(request, &ports, &Cancel::new());
        Outcome { result, events: events.0.into_inner().unwrap(), ran: executor.ran.into_inner().unwrap() }
    }

    /// Builds, which must work, and gives the image a name for later builds.
    pub(crate) fn base(&self, name: &str, dockerfile: &str) {
        let built = self.build(dockerfile).result.unwrap();
        let reference: Reference = name.parse().unwrap();
        self.images.lock().unwrap().insert(reference.to_string(), built.image);
    }

    /// The image's files: path, mode, owner and content, a line each.
    pub(crate) fn tree(&self, image: &Image) -> String {
        let mut text = String::new();
        if !image.diff_ids().is_empty() {
            let view = self.store.snapshots().view(image.diff_ids()).unwrap();
            let root = view.lookup(Path::new("/"), Links::Keep).unwrap().unwrap();
            list(&view, &root, &mut text);
        }
        text
    }
}

impl Outcome {
    pub(crate) fn image(&self) -> &Image {
        match &self.result {
            Ok(built) => &built.image,
            Err(error) => panic!("{}", chain(error)),
        }
    }

    pub(crate) fn error(&self) -> String {
        chain(self.result.as_ref().unwrap_err())
    }

    /// Step names by what became of them.
    pub(crate) fn cached(&self) -> Vec<String> {
        let name = |id: usize| {
            self.events.iter().find_map(|event| match event {
                Event::Planned { id: known, name } if *known == id => Some(name.clone()),
                _ => None,
            })
        };
        self.events
            .iter()
            .filter_map(|event| if let Event::Cached { id } = event { name(*id) } else { None })
            .collect()
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(&format!(": {error}"));
        next = error.source();
    }
    text
}

fn list(view: &View, directory: &Entry, text: &mut String) {
    use std::io::Read;
    for name in view.read_dir(directory).unwrap() {
        let entry = view.lookup(&directory.path.join(&name), Links::Keep).unwrap().unwrap();
        let path = entry.path.display().to_string();
        let path = path.trim_start_matches('/');
        let (mode, uid, gid) = (entry.stat.st_mode & 0o7777, entry.stat.st_uid, entry.stat.st_gid);
        match &entry.kind {
            EntryKind::Dir => {
                text.push_str(&format!("{path}/ {mode:o} {uid}:{gid}\n"));
                list(view, &entry, text);
            }
            EntryKind::Symlink(target) => text.push_str(&format!("{path} -> {}\n", target.display())),
            EntryKind::Special => text.push_str(&format!("{path} special\n")),
            EntryKind::File => {
                let mut content = String::new();
                fs::File::from(view.open(&entry).unwrap()).read_to_string(&mut content).unwrap();
                text.push_str(&format!("{path} {mode:o} {uid}:{gid} {content:?}\n"));
            }
        }
    }
}

impl ImageSource for World {
    fn resolve(&self, reference: &Reference, _: &Platform, _: PullPolicy) -> Result<Image, ImageSourceError> {
        let images = self.images.lock().unwrap();
        let missing = || ImageSourceError::NotFound { reference: reference.familiar() };
        images.get(&reference.to_string()).cloned().ok_or_else(missing)
    }

    fn fetch(&self, reference: &Reference, _: &Image) -> Result<(), ImageSourceError> {
        Err(ImageSourceError::NotFound { reference: reference.familiar() })
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<Event>>);

impl Events for Log {
    fn emit(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// Runs `put PATH TEXT`, `show MOUNT FILE`, `count` (a file with a new text each time), `fail CODE`, `true`.
#[derive(Default)]
struct Words {
    ran: Mutex<Vec<String>>,
}

impl Executor for Words {
    fn exec(&self, step: &ExecStep, output: &dyn OutputSink, _: &Cancel) -> Result<ExecOutcome, ExecError> {
        let command = step.args.last().unwrap().clone();
        self.ran.lock().unwrap().push(command.clone());
        output.write(Stream::Stdout, format!("ran {command}\n").as_bytes());
        let words: Vec<&str> = command.split(' ').collect();
        let put = |path: &str, text: &str| {
            let path = step.upper.join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let mut exit_code = 0;
        match words.as_slice() {
            ["put", path, text] => put(path, text),
            ["count"] => put("/count", &step.upper.display().to_string()),
            ["show", target, file] => {
                let mount = step.mounts.iter().find(|mount| mount.target == *target).unwrap();
                match &mount.source {
                    ExecMountSource::Bind { path, .. } => {
                        put(
                            "/shown",
                            &fs::read_to_string(path.join(file)).unwrap_or_else(|_| "nothing".into()),
                        );
                    }
                    ExecMountSource::Tmpfs { .. } => put("/shown", "tmpfs"),
                }
            }
            ["keep", target, file, text] => {
                let mount = step.mounts.iter().find(|mount| mount.target == *target).unwrap();
                if let ExecMountSource::Bind { path, .. } = &mount.source {
                    fs::write(path.join(file), text).unwrap();
                }
            }
            ["fail", code] => exit_code = code.parse().unwrap(),
            _ => {}
        }
        Ok(ExecOutcome { exit_code })
    }
}
