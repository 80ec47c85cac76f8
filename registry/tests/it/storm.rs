//! A registry where three of ten requests go wrong: what is pushed and pulled is all there in the end.

use tug_oci::Platform;
use tug_registry::{Options, Retry, Silent};
use tug_testkit::image::{File, image};

use crate::support::{chain, client, faulty, options, reference, store};

#[test]
fn twelve_layers_get_there_and_back() {
    let layers: Vec<_> =
        (0..12).map(|seed| vec![File::noise(format!("layer{seed}"), 600_000, seed)]).collect();
    let image = image(&layers);
    for seed in 1..4 {
        let (origin, mirror) = (faulty(), faulty());
        origin.put_image("app", "1", &image);
        origin.storm(30, seed);
        mirror.storm(30, seed + 100);
        let retry = Retry { attempts: Retry::default().attempts, ..options().retry };
        let client = client(Options { retry, ..options() });
        let store = store();
        let from = reference(&origin.authority(), "app:1");
        let to = reference(&mirror.authority(), "app:1");
        if let Err(error) = client.pull(&store, &from, &Platform::host(), &Silent) {
            panic!("pull, seed {seed}: {}", chain(&error));
        }
        if let Err(error) = client.push(&store, &to, &image.descriptor, &Silent) {
            panic!("push, seed {seed}: {}", chain(&error));
        }
        store.assert_sound();
        assert_eq!(mirror.manifest("app", "1").as_ref(), Some(&image.manifest));
        assert!(image.blobs.iter().all(|(blob, _)| mirror.has_blob("app", &blob.digest)));
    }
}
