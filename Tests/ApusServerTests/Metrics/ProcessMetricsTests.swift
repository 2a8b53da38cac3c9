import ApusTesting
import Foundation
import NIOCore
import Testing

@testable import ApusServer

/// What is said about this very process.
@Suite struct ProcessMetricsTests {
    private func scrape() throws -> Exposition {
        try Exposition(String(buffer: PrometheusText.write(ProcessMetrics().families)))
    }

    private func number(_ name: String) throws -> Double {
        try #require(try scrape().value(name).flatMap(ExpositionLine.number))
    }

    @Test func `all five are there, under the usual names`() throws {
        #expect(
            try scrape().families.map { "\($0.name) \($0.kind)" } == [
                "process_cpu_seconds_total counter",
                "process_max_fds gauge",
                "process_open_fds gauge",
                "process_resident_memory_bytes gauge",
                "process_start_time_seconds gauge",
            ]
        )
    }

    @Test func `the values are those of this process`() throws {
        #expect(try number("process_cpu_seconds_total") > 0)
        #expect((1 << 20...1 << 40).contains(Int(try number("process_resident_memory_bytes"))))
        #expect(try number("process_open_fds") <= number("process_max_fds"))
        let age = Date().timeIntervalSince1970 - (try number("process_start_time_seconds"))
        #expect(age > -1 && age < 24 * 3600)
    }

    @Test func `files that are open are counted`() throws {
        let files = (0..<500).compactMap { _ in FileHandle(forReadingAtPath: "/dev/null") }
        #expect(files.count == 500)
        #expect(try number("process_open_fds") > 500)
        for file in files { try file.close() }
    }
}
