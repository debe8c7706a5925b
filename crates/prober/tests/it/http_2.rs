//! HTTP/2 is spoken, and has the limits of HTTP/1.

use models::probe::ErrorKind;

use crate::support::authority::{Authority, Leaf, probe};
use crate::support::target::Target;
use crate::support::{assert_down, assert_up};

/// A server that speaks HTTP/2 alone and answers a good request with 200, `header_bytes` of headers and a long body.
async fn http_2(authority: &Authority, header_bytes: usize) -> Target {
    // Pairs that HPACK can't shorten much: no two are alike.
    http_2_with(authority, move |n| {
        (n < header_bytes.div_ceil(1024)).then(|| format!("{n:02}").repeat(512))
    })
    .await
}

/// The same with these headers, as far as there are any.
async fn http_2_with(
    authority: &Authority,
    header: impl Fn(usize) -> Option<String> + Clone + Send + Sync + 'static,
) -> Target {
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let mut config = authority.server(&Leaf::default());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    Target::start("https", move |stream| {
        let (acceptor, header) = (acceptor.clone(), header.clone());
        async move {
            let stream = acceptor.accept(stream).await.unwrap();
            let answer = |request: http::Request<hyper::body::Incoming>| {
                let good = request.version() == http::Version::HTTP_2
                    && request.uri().host() == Some("localhost")
                    && !request.headers().contains_key("connection");
                let status = if good { 200 } else { 500 };
                let body = http_body_util::Full::new(bytes::Bytes::from(vec![b'x'; 200_000]));
                let mut response = http::Response::builder().status(status);
                for (n, value) in (0..).map_while(|n| Some((n, header(n)?))) {
                    response = response.header(format!("x-{n}"), value);
                }
                std::future::ready(response.body(body))
            };
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            drop(
                serving
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await,
            );
        }
    })
    .await
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_offers_it() {
    let authority = Authority::new();
    let target = http_2(&authority, 0).await;
    let result = probe(&authority, &target).await;
    assert_up(&result);
    assert_eq!(result.status_code, Some(200));
}

#[tokio::test]
async fn headers_of_http_2_have_their_limit_too() {
    let authority = Authority::new();
    assert_up(&probe(&authority, &http_2(&authority, 12 * 1024).await).await);
    for too_many in [20, 100] {
        let target = http_2(&authority, too_many * 1024).await;
        assert_down(
            &probe(&authority, &target).await,
            ErrorKind::HeadersTooLarge,
        );
    }
}

#[tokio::test]
async fn a_hundred_headers_are_the_most_in_http_2_as_well() {
    let authority = Authority::new();
    for (count, is_too_many) in [(90, false), (120, true)] {
        let target = http_2_with(&authority, move |n| (n < count).then(|| "1".to_owned())).await;
        let result = probe(&authority, &target).await;
        if is_too_many {
            assert_down(&result, ErrorKind::HeadersTooLarge);
        } else {
            assert_up(&result);
        }
    }
}
