//! A small SMTP server that keeps what it is given.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) recipient: String,
    pub(crate) message: String,
}

/// The server. Stops when dropped.
pub(crate) struct Sink {
    pub(crate) url: String,
    book: Arc<Mutex<Book>>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Book {
    /// What the next mails are answered with, after they were read.
    answers: VecDeque<&'static str>,
    mails: Vec<Mail>,
}

impl Sink {
    pub(crate) async fn start(answers: impl IntoIterator<Item = &'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let book = Arc::new(Mutex::new(Book {
            answers: answers.into_iter().collect(),
            mails: Vec::new(),
        }));
        let server = tokio::spawn(serve(listener, Arc::clone(&book)));
        Self { url, book, server }
    }

    /// Every mail that was read to its end, taken or not.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.book.lock().unwrap().mails.clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, book: Arc<Mutex<Book>>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let book = Arc::clone(&book);
        clients.spawn(async move { drop(speak(stream, &book).await) });
    }
}

async fn speak(stream: TcpStream, book: &Mutex<Book>) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut recipient = String::new();
    write.write_all(b"220 sink.test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let word: String = line.chars().take(4).collect::<String>().to_uppercase();
        let answer = match word.as_str() {
            "EHLO" => "250 sink.test",
            "RCPT" => {
                recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 yes"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut message = String::new();
                while let Some(line) = lines.next_line().await? {
                    if line == "." {
                        break;
                    }
                    message.push_str(&line);
                    message.push('\n');
                }
                let mut book = book.lock().unwrap();
                let recipient = recipient.clone();
                book.mails.push(Mail { recipient, message });
                book.answers.pop_front().unwrap_or("250 taken")
            }
            "QUIT" => "221 bye",
            _ => "250 yes",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
