use super::*;
use crate::Shutdown;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn ask(address: SocketAddr, request_line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{request_line} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_ops_port_answers_its_three_pages_and_turns_red_before_it_closes() {
    let (shutdown, trigger) = Shutdown::manual();
    let readiness = Readiness::new(&["postgres"], shutdown);
    let server = OpsServer::start(OpsConfig::any_free_port(), readiness.clone())
        .await
        .unwrap();
    let at = server.address();

    assert!(ask(at, "GET /healthz").await.starts_with("HTTP/1.1 200"));
    let starting = ask(at, "GET /readyz").await;
    assert!(starting.starts_with("HTTP/1.1 503") && starting.contains("postgres"));
    readiness.set_ready("postgres");
    assert!(ask(at, "GET /readyz").await.starts_with("HTTP/1.1 200"));

    metrics::counter!("pulsemon_ops_test_total").increment(3);
    metrics::histogram!("pulsemon_ops_test_seconds").record(0.2);
    let page = ask(at, "GET /metrics").await;
    assert!(page.contains("pulsemon_ops_test_total 3"), "{page}");
    assert!(
        page.contains("pulsemon_ops_test_seconds_bucket{le=\"0.25\"} 1"),
        "{page}"
    );

    assert!(ask(at, "GET /else").await.starts_with("HTTP/1.1 404"));
    let post = ask(at, "POST /readyz").await;
    assert!(post.starts_with("HTTP/1.1 405") && post.contains("allow: GET"));

    trigger.shut_down();
    assert!(ask(at, "GET /readyz").await.starts_with("HTTP/1.1 503"));
    server.stop().await;
    assert!(TcpStream::connect(at).await.is_err());
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let (shutdown, _trigger) = Shutdown::manual();
    let readiness = Readiness::new(&[], shutdown);
    let server = OpsServer::start(OpsConfig::any_free_port(), readiness)
        .await
        .unwrap();
    let idle = TcpStream::connect(server.address()).await.unwrap();
    assert!(ask(server.address(), "GET /readyz").await.contains("200"));
    server.stop().await;
    drop(idle);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_settings() {
    let readiness = Readiness::new(&[], Shutdown::manual().0);
    let first = OpsServer::start(OpsConfig::any_free_port(), readiness.clone())
        .await
        .unwrap();
    let same = OpsConfig {
        listen: first.address(),
    };
    let refused = OpsServer::start(same, readiness).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
    let told = refused.to_string();
    let address = first.address().to_string();
    assert!(
        told.contains(&address) && told.contains("OPS_PORT"),
        "{told}"
    );
    first.stop().await;
}
