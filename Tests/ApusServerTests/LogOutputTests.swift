import ApusProtocol
import Foundation
import Logging
import Synchronization
import Testing

@testable import ApusServer

@Suite struct LogOutputTests {
    /// What was written, whole writes.
    private final class Lines: Sendable {
        private let storage = Mutex<[String]>([])
        var all: [String] { storage.withLock { $0 } }

        func add(_ text: String) {
            storage.withLock { $0.append(text) }
        }
    }

    private let lines = Lines()

    private func logger(
        _ format: ServerConfiguration.Log.Format,
        level: Logger.Level = .info,
        provider: Logger.MetadataProvider? = nil
    ) -> Logger {
        let lines = lines
        return Logger(label: "test") { _ in
            LogOutput(
                format: format,
                level: LogLevel(level),
                metadataProvider: provider,
                now: { Timestamp(milliseconds: 1_795_255_200_123) },
                write: lines.add
            )
        }
    }

    @Test func `text is time level message and metadata`() {
        logger(.text).info("listening", metadata: ["address": "http://127.0.0.1:8080", "a": "1"])
        #expect(lines.all == ["2026-11-21T10:00:00.123Z info listening a=1 address=http://127.0.0.1:8080\n"])
    }

    @Test func `json is an object of the same`() {
        logger(.json).info("listening", metadata: ["address": "http://127.0.0.1:8080"])
        #expect(
            lines.all == [
                #"{"ts":"2026-11-21T10:00:00.123Z","level":"info","message":"listening","address":"http://127.0.0.1:8080"}"#
                    + "\n"
            ]
        )
    }

    @Test func `what is below the level is not written`() {
        var logger = logger(.text, level: .warning)
        logger.info("no")
        logger.warning("yes")
        logger.critical("yes")
        #expect(lines.all.count == 2)
        logger.logLevel = .trace
        logger.trace("yes")
        #expect(lines.all.count == 3)
        LogOutput(format: .text, level: LogLevel(.error), now: { Timestamp(milliseconds: 0) }, write: lines.add).log(
            event: LogEvent(
                level: .info,
                message: "no",
                metadata: nil,
                source: nil,
                file: #file,
                function: #function,
                line: #line
            )
        )
        #expect(lines.all.count == 3)
    }

    @Test func `the records metadata wins over the providers and that over the loggers`() {
        var logger = logger(.text, provider: .init { ["b": "provider", "c": "provider"] })
        for key in ["a", "b", "c"] { logger[metadataKey: key] = "logger" }
        logger.info("m", metadata: ["c": "record"])
        #expect(lines.all == ["2026-11-21T10:00:00.123Z info m a=logger b=provider c=record\n"])
    }

    @Test func `nested metadata is flattened`() {
        let metadata: Logger.Metadata = [
            "connection": ["id": "5", "peer": ["host": "h"]], "list": ["x", "y z"], "number": .stringConvertible(7),
        ]
        logger(.text).info("m", metadata: metadata)
        logger(.json).info("m", metadata: metadata)
        #expect(lines.all[0].hasSuffix(#" m connection.id=5 connection.peer.host=h list="[x, y z]" number=7"# + "\n"))
        #expect(
            lines.all[1].hasSuffix(
                #","connection.id":"5","connection.peer.host":"h","list":["x","y z"],"number":"7"}"# + "\n"
            )
        )
    }

    @Test(arguments: [
        ("plain", "plain"), ("a=b", "a=b"), ("", "\"\""), ("a b", "\"a b\""), ("a\"b", #""a\"b""#),
        ("a\nb", #""a\nb""#),
        ("a\u{1b}[0m", #""a\u001b[0m""#), ("a\u{85}b", #""a\u0085b""#), ("a\u{2028}b", #""a\u2028b""#), ("ü", "ü"),
        ("a\u{7f}", #""a\u007f""#), ("a\\b", "a\\b"),
    ])
    func `a text value is quoted where it has to`(value: String, written: String) {
        logger(.text).info("m", metadata: ["k": "\(value)"])
        #expect(lines.all == ["2026-11-21T10:00:00.123Z info m k=\(written)\n"])
    }

    @Test func `whatever is logged a record is one line`() throws {
        let nasty =
            String(String.UnicodeScalarView((0...0xA0).compactMap { Unicode.Scalar($0) }))
            + "\u{2028}\u{2029}\r\n\u{1F600}"
        for format in ServerConfiguration.Log.Format.allCases {
            logger(format).info(
                "\(nasty)",
                error: CancellationError(),
                metadata: ["\(nasty)": "\(nasty)", "d": ["\(nasty)": ["\(nasty)", ["\(nasty)": "x"]]]]
            )
        }
        for line in lines.all {
            #expect(line.hasSuffix("\n"))
            #expect(!line.dropLast().unicodeScalars.contains(where: PlainText.isUnsafe))
        }
        let object = try #require(JSONSerialization.jsonObject(with: Data(lines.all[1].utf8)) as? [String: Any])
        #expect(object["message"] as? String == nasty)
        #expect(object[nasty] as? String == nasty)
        #expect(object["error"] as? String == "CancellationError()")
    }

    @Test func `metadata cannot take the names of the record`() throws {
        logger(.json).info("m", metadata: ["level": "x", "ts": "y", "message": "z"])
        let object = try #require(JSONSerialization.jsonObject(with: Data(lines.all[0].utf8)) as? [String: String])
        #expect(object["level"] == "info" && object["message"] == "m")
        #expect(object["metadata.level"] == "x" && object["metadata.ts"] == "y" && object["metadata.message"] == "z")
    }
}
