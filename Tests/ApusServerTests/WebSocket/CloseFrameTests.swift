import ApusProtocol
import NIOCore
import Testing

@testable import ApusServer

@Suite struct CloseFrameTests {
    private func parse(_ bytes: [UInt8]) -> CloseFrame.Received {
        bytes.withUnsafeBytes { CloseFrame.parse($0) }
    }

    private func parse(_ code: UInt16, _ reason: [UInt8] = []) -> CloseFrame.Received {
        parse([UInt8(code >> 8), UInt8(code & 0xFF)] + reason)
    }

    @Test func `just the codes of the RFC that may stand in a frame are taken`() {
        let allowed = Set(1000...1003).union(1007...1014).union(3000...4999)
        for code in UInt16.min...UInt16.max {
            let isAllowed = allowed.contains(Int(code))
            #expect(parse(code) == (isAllowed ? .code(code) : .failure(.protocolError)))
        }
    }

    @Test func `no body is no code, and half a code is none`() {
        #expect(parse([]) == .code(nil))
        for byte in [0, 3, 255] as [UInt8] { #expect(parse([byte]) == .failure(.protocolError)) }
    }

    @Test func `a reason must be UTF-8`() {
        #expect(parse(1000, Array("bye".utf8)) == .code(1000))
        #expect(parse(1000, Array(String(repeating: "é", count: 61).utf8)) == .code(1000))
        for reason in [[0xFF], [0xC3], [0x41, 0xE2, 0x82], [0xED, 0xA0, 0x80]] as [[UInt8]] {
            #expect(parse(1000, reason) == .failure(.invalidUTF8))
        }
    }

    @Test func `a close frame is written with its code and reason, or without both`() {
        var buffer = ByteBuffer()
        CloseFrame.write(code: 1001, reason: "SHUTDOWN", to: &buffer)
        #expect(Array(buffer.readableBytesView) == [0x88, 10, 0x03, 0xE9] + Array("SHUTDOWN".utf8))
        buffer.clear()
        CloseFrame.write(code: nil, reason: "ignored", to: &buffer)
        #expect(Array(buffer.readableBytesView) == [0x88, 0])
    }

    @Test func `every reason of the server fits a control frame, and its code may be sent`() {
        for disconnect in [
            Disconnect.topicDeleted, .shutdown, .protocolError, .invalidUTF8, .slowConsumer, .unauthorized, .forbidden,
            .rateLimited, .revoked, .tokenExpired, .kicked,
            .noPong, .messageTooBig, .overloaded,
        ] {
            #expect(disconnect.reason.utf8.count <= 123)
            #expect(CloseFrame.isAllowed(disconnect.code))
        }
    }
}
