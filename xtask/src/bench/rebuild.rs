//! *noop* and *onefile*: a warm build of 22 instructions over a context of 10,000 files.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use super::measure::{Comparison, Side, compare};
use super::{BASE, Bench, text};
use crate::Problem;

pub(super) fn noop(bench: &Bench<'_>) -> Result<Vec<Comparison>, Problem> {
    let context = Context::write(bench, "noop")?;
    context.build_both(bench)?;
    let tug_args = context.tug_args()?;
    let docker_args = context.docker_args()?;
    let ours = Side { name: "tug", prepare: &|| Ok(()), command: &|| bench.tug.command(&tug_args) };
    let theirs =
        Side { name: "docker", prepare: &|| Ok(()), command: &|| bench.docker.command(&docker_args) };
    let comparison = compare(RUNS, &ours, &theirs)?;
    context.check_equal(bench)?;
    Ok(vec![comparison])
}

pub(super) fn onefile(bench: &Bench<'_>) -> Result<Vec<Comparison>, Problem> {
    let context = Context::write(bench, "onefile")?;
    context.build_both(bench)?;
    let tug_args = context.tug_args()?;
    let docker_args = context.docker_args()?;
    let edits = Cell::new(0);
    let edit = || {
        edits.set(edits.get() + 1);
        let file = context.folder.join("src/d042/f042.txt");
        Ok(fs::write(file, format!("edited {} times\n", edits.get()))?)
    };
    let ours = Side { name: "tug", prepare: &edit, command: &|| bench.tug.command(&tug_args) };
    let theirs = Side { name: "docker", prepare: &edit, command: &|| bench.docker.command(&docker_args) };
    let comparison = compare(RUNS, &ours, &theirs)?;
    // The last edit was docker's: bring tug's image to the same state before they are held against each other.
    context.build_both(bench)?;
    context.check_equal(bench)?;
    Ok(vec![comparison])
}

struct Context {
    folder: PathBuf,
    name: String,
}

impl Context {
    fn write(bench: &Bench<'_>, row: &str) -> Result<Context, Problem> {
        let folder = bench.folder.join(row);
        for directory in 0..DIRECTORIES {
            let directory = folder.join(format!("src/d{directory:03}"));
            fs::create_dir_all(&directory)?;
            for file in 0..FILES_A_DIRECTORY {
                write_file(&directory, file)?;
            }
        }
        fs::write(folder.join("settings.ini"), "mode = test\n")?;
        fs::write(folder.join("Dockerfile"), dockerfile())?;
        Ok(Context { folder, name: format!("bench/{row}:1") })
    }

    fn tug_args(&self) -> Result<[&str; 6], Problem> {
        Ok(["build", "--progress", "plain", "-t", &self.name, text(&self.folder)?])
    }

    fn docker_args(&self) -> Result<[&str; 6], Problem> {
        self.tug_args()
    }

    fn build_both(&self, bench: &Bench<'_>) -> Result<(), Problem> {
        bench.tug.check(&self.tug_args()?)?;
        bench.docker.check(&self.docker_args()?)
    }

    /// Both images hold the same files and say the same of how they start.
    fn check_equal(&self, bench: &Bench<'_>) -> Result<(), Problem> {
        let script = "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /etc -o -path /.dockerenv \\) -prune -o -type f -print \
                      | sort | xargs sha256sum | sha256sum; stat -c '%a %u:%g' /srv /srv/app /srv/app/settings.ini; id -u; pwd; env | grep -v HOSTNAME | sort";
        let args = ["run", "--rm", "--network", "none", "--entrypoint", "sh", &self.name, "-c", script];
        let (ours, theirs) = (bench.tug.output(&args)?, bench.docker.output(&args)?);
        match ours == theirs {
            true => Ok(()),
            false => Err(format!("the images differ:\ntug\n{ours}\ndocker\n{theirs}").into()),
        }
    }
}

fn write_file(directory: &Path, number: usize) -> Result<(), Problem> {
    let line = format!("{} {number}\n", directory.display());
    Ok(fs::write(directory.join(format!("f{number:03}.txt")), line.repeat(40))?)
}

/// 22 instructions in two stages, RUN, COPY and metadata mixed as applications mix them.
fn dockerfile() -> String {
    format!(
        "FROM {BASE} AS build\n\
         ARG VERSION=1.0\n\
         ENV LANG=C.UTF-8\n\
         ENV STAGE=build VERSION=$VERSION\n\
         WORKDIR /build\n\
         RUN mkdir -p out && echo tools > out/tools\n\
         COPY settings.ini ./\n\
         RUN grep -q test settings.ini && echo ok > out/check\n\
         COPY src/ src/\n\
         RUN cat src/d000/*.txt > out/all\n\
         RUN wc -l < out/all > out/count\n\
         FROM {BASE}\n\
         LABEL maintainer=bench\n\
         ENV APP=/srv/app\n\
         WORKDIR $APP\n\
         RUN mkdir -p data && chmod 700 data\n\
         COPY --from=build /build/out/ ./\n\
         COPY settings.ini ./\n\
         RUN sha256sum all count > sums\n\
         EXPOSE 8080\n\
         VOLUME /data\n\
         CMD [\"sh\"]\n"
    )
}

const RUNS: usize = 5;
const DIRECTORIES: usize = 100;
const FILES_A_DIRECTORY: usize = 100;
