import ApusBroker
import ApusProtocol
import ApusStore
import Foundation
import NIOCore
import Testing

@testable import ApusJournal

/// What the tools do with messages: `apus data export` and `import`, and the check of records' contents.
@Suite struct DataToolsTests {
    private let parent: URL
    private var folder: String { parent.appending(path: "data").path }

    init() throws {
        parent = FileManager.default.temporaryDirectory.appending(path: "apus-tools-\(UUID())")
        try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
    }

    private func exported(_ folder: String, after: UInt64 = 0, limit: UInt64 = .max) throws -> [String] {
        var export = try DataExport(FolderView(folder))
        var text = ""
        for topic in export.topics {
            var (line, cursor) = export.begin(topic, after: after, limit: limit)
            text += line
            while let lines = try export.lines(&cursor, now: 1_000_000) { text += String(buffer: lines) }
        }
        return text.split(separator: "\n").map(String.init)
    }

    private func imported(_ lines: [String], _ options: DataImport.Options = .init()) throws {
        var importing = try DataImport(folder, options)
        do {
            for line in lines { try importing.take(line) }
            try importing.finish()
        } catch {
            try importing.stop()
            throw error
        }
    }

    /// Why lines are refused.
    private func refusal(_ lines: [String], _ options: DataImport.Options = .init()) -> String? {
        do {
            try imported(lines, options)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func header(_ next: Int, epoch: String = "e1", settings: String = "{}") -> String {
        #"{"topic":"t","epoch":"\#(epoch)","settings":\#(settings),"created":"2026-01-01T00:00:00.000Z","next":\#(next)}"#
    }

    private func message(_ offset: Int, _ more: String = "") -> String {
        let ts = #""ts":"2026-01-01T00:00:00.001Z""#
        return
            #"{"offset":\#(offset),"message":{"id":"m\#(offset)","payload":[1, 2]}\#(more.isEmpty ? "" : ",")\#(more),\#(ts)}"#
    }

    @Test func `what is imported is exported again, byte for byte`() throws {
        defer { try? FileManager.default.removeItem(at: parent) }
        // Topics begin anywhere; more than one record.
        let large = (12...3000).map { message($0) }
        var lines = [header(3003, settings: #"{"history": 100000, "dedupe_window": "1h"}"#)]
        lines += [
            message(
                10,
                #""key":"a\"ä","trace":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=\"1\"""#
            ),
            #"{"offset":11,"message":{"payload":{},"id":"m"},"ts":"2026-01-01T00:00:00.000Z","expires":"2026-01-01T00:00:09.000Z"}"#,
        ]
        lines += large + [#"{"expired":{"from":3001,"to":3001}}"#, message(3002)]
        try imported(lines)
        #expect(try exported(folder) == lines)
        let survey = try FolderSurvey(FolderView(folder), visit: RecordContents.problem)
        #expect(survey.failures == [])
        #expect(survey.totals.records > 3)
        #expect(try exported(folder, after: 12, limit: 1) == [lines[0].replacing("3003", with: "14"), large[1]])
    }

    @Test func `a line that is wrong is named, and what came before it is in`() throws {
        defer { try? FileManager.default.removeItem(at: parent) }
        let lines = [header(3), message(1)]
        #expect(refusal([message(1)]) == "line 1: there is a message before any topic")
        #expect(refusal(["[]"]) == "line 1: it is no JSON object")
        #expect(refusal([#"{"topic":"a*b"}"#]) == "line 1: no topic can have this name")
        #expect(refusal([#"{"topic":"t","settings":{"history":-1}}"#])?.contains("'history' must be") == true)
        #expect(refusal(lines + [#"{"message":{"id":"x"}}"#])?.hasPrefix("line 3: 'message' must have") == true)
        #expect(try exported(folder) == [header(2), message(1)])
        #expect(refusal(lines)?.contains("is there already") == true)
        let resume = DataImport.Options(resumes: true)
        #expect(refusal(lines, resume) == "line 2: the input is cut: 't' should go on to offset 2")
        #expect(refusal([header(3, epoch: "e2"), message(2)], resume)?.contains("epoch is not the same") == true)
        #expect(refusal(lines + [message(2)], resume) == nil)
        #expect(try exported(folder) == [header(3), message(1), message(2)])
        #expect(
            refusal([header(9), message(4), message(3)], resume)?.contains("offset 3 comes after offset 4") == true
        )
        #expect(refusal([header(9), message(2_000_000)], resume)?.contains("more than 1000000") == true)
    }

    @Test func `only the name, the message and its time are needed`() throws {
        defer { try? FileManager.default.removeItem(at: parent) }
        let message = #"{"message":{"id":"m","payload":1},"ts":"2026-01-01T00:00:00.000Z"}"#
        try imported([#"{"topic":"t"}"#, message, "", message, #"{"topic":"u"}"#])
        let lines = try exported(folder)
        #expect(lines.count == 4)
        #expect(lines[2] == message.replacing("{\"message", with: "{\"offset\":2,\"message"))
        let stats = try DataStats(FolderView(folder))
        #expect(stats.topics.map(\.messages) == [2, 0])
        #expect(stats.topics.map(\.next) == [3, 1])
    }

    @Test func `contents that are no batch of the topic are found`() throws {
        let template = EventTemplate(topic: "t", epoch: "e")
        let messages = (1...3).map { KeptMessage(offset: $0, message: Array("{}".utf8), time: 5, expires: 9) }
        let record = BatchRecord(messages, ids: [(2, "two")], template: template)
        #expect(record.messages(of: template) == messages)
        #expect(record.messages(of: EventTemplate(topic: "u", epoch: "e")) == nil)
        #expect(record.messages(of: EventTemplate(topic: "longer", epoch: "e")) == nil)
        for place in 0..<record.frames.readableBytes {
            var frames = record.frames
            let byte = frames.getInteger(at: frames.readerIndex + place, as: UInt8.self) ?? 0
            frames.setInteger(byte ^ 0x80, at: frames.readerIndex + place)
            let changed = BatchRecord(
                first: record.first,
                count: record.count,
                newestTime: record.newestTime,
                details: record.details,
                marks: record.marks,
                frames: frames
            )
            // The message itself may be anything; its checksum is that of the record.
            if let found = changed.messages(of: template) { #expect(found.map(\.time) == [5, 5, 5]) }
        }
    }
}
