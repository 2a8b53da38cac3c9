import Logging
import Testing

@testable import ApusServer

@Suite struct LogLevelTests {
    @Test func `all copies of a logger follow their level, but for those with one of their own`() {
        let level = LogLevel(.info)
        let logger = LogOutput.logger(label: "test", format: .text, level: level)
        var (follower, own) = (logger, logger)
        follower[metadataKey: "a"] = "b"
        own.logLevel = .critical
        for next in Logger.Level.allCases {
            level.value = next
            #expect(level.value == next)
            #expect(logger.logLevel == next && follower.logLevel == next && own.logLevel == .critical)
        }
    }
}
