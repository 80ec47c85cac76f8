//! Proxies: what goes through them, and what does not.

use tug_registry::{Options, Proxies};
use tug_testkit::image::image;
use tug_testkit::proxy::TunnelProxy;
use tug_testkit::registry::Guard;

use crate::support::{chain, client, docker_registry, faulty, options, reference};

#[test]
fn tls_goes_through_a_tunnel() {
    let registry = docker_registry(Guard::Tls);
    let proxy = TunnelProxy::start(registry.port()).unwrap();
    let host = "registry.test:5000";
    let with_password = proxy.url().replace("http://", "http://user:pass@");
    let proxies = Proxies { https: with_password, ..Proxies::default() };
    let certs_dirs = vec![registry.certs_d_for(host)];
    let client = client(Options { proxies, certs_dirs, ..options() });
    let error = client.resolve(&reference(host, "app:1")).unwrap_err();
    assert_eq!(error.request().status(), Some(404), "{}", chain(&error));
    let asked = proxy.asked();
    assert_eq!(asked[0], "CONNECT registry.test:5000 HTTP/1.1");
    assert!(asked[1].ends_with("Basic dXNlcjpwYXNz"), "{asked:?}");
}

#[test]
fn plain_http_asks_the_proxy_by_whole_address() {
    let registry = faulty();
    registry.put_image("app", "1", &image(&[]));
    let http = format!("http://{}", registry.authority());
    let host = "registry.test:5000";
    let insecure = [host.to_owned()].into_iter().collect();
    let proxies = Proxies { https: http.clone(), http, ..Proxies::default() };
    let client = client(Options { proxies, insecure, ..options() });
    client.resolve(&reference(host, "app:1")).unwrap();
    let requests = registry.requests();
    let asked = requests.iter().find(|request| request.path.contains("/manifests/")).unwrap();
    assert_eq!(asked.header("host"), Some(host));
}

#[test]
fn this_machine_and_named_hosts_are_reached_without() {
    let registry = faulty();
    registry.put_image("app", "1", &image(&[]));
    let proxy = TunnelProxy::start(1).unwrap();
    let proxies = Proxies { https: proxy.url(), http: proxy.url(), no_proxy: ".test".to_owned() };
    let client = client(Options { proxies, ..options() });
    client.resolve(&reference(&registry.authority(), "app:1")).unwrap();
    let error = client.resolve(&reference("registry.test:5000", "app:1")).unwrap_err();
    assert!(error.request().is_temporary(), "{}", chain(&error));
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}
