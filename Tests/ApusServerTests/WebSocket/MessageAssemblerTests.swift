import ApusProtocol
import NIOCore
import Testing

@testable import ApusServer

@Suite struct MessageAssemblerTests {
    /// An outcome that can be compared.
    private enum Result: Equatable {
        case message(String, isText: Bool)
        case incomplete
        case failure(Disconnect)
    }

    private func consume(
        _ assembler: inout MessageAssembler,
        _ opcode: Opcode,
        _ payload: [UInt8],
        isFinal: Bool = true
    ) -> Result {
        let head = FrameHead(isFinal: isFinal, opcode: opcode, mask: 0, size: 6, payload: payload.count)
        let outcome = payload.withUnsafeBytes {
            assembler.consume(head, payload: $0, isASCII: payload.allSatisfy { $0 < 0x80 })
        }
        switch outcome {
        case .message(let kind): return .message(String(decoding: payload, as: UTF8.self), isText: kind.isText)
        case .assembled(let buffer, let kind): return .message(String(buffer: buffer), isText: kind.isText)
        case .incomplete: return .incomplete
        case .failure(let disconnect): return .failure(disconnect)
        }
    }

    @Test func `a message in one frame is taken as it is`() {
        var assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .text, Array("é".utf8)) == .message("é", isText: true))
        #expect(consume(&assembler, .binary, [0x41]) == .message("A", isText: false))
        #expect(consume(&assembler, .text, []) == .message("", isText: true))
    }

    @Test func `fragments are put together, whatever their number and size`() {
        var assembler = MessageAssembler(maxMessage: 100)
        let text = Array("häßlich €😀 ok".utf8)
        for size in 1...text.count {
            for opcode in [Opcode.text, .binary] {
                let parts = stride(from: 0, to: text.count, by: size).map {
                    Array(text[$0..<min($0 + size, text.count)])
                }
                for (index, part) in parts.enumerated() {
                    let isLast = index == parts.count - 1
                    let result = consume(&assembler, index == 0 ? opcode : .continuation, part, isFinal: isLast)
                    let whole = Result.message(String(decoding: text, as: UTF8.self), isText: opcode == .text)
                    #expect(result == (isLast ? whole : .incomplete))
                }
            }
        }
    }

    @Test func `a compressed message is put together as it comes, and its text is not looked at`() {
        var assembler = MessageAssembler(maxMessage: 10)
        let bytes: [UInt8] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]
        for size in 1...7 {
            var isFirst = true
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = Array(rest.prefix(size))
                rest = rest.dropFirst(size)
                let head = FrameHead(
                    isFinal: rest.isEmpty,
                    opcode: isFirst ? .text : .continuation,
                    mask: 0,
                    size: 6,
                    payload: part.count,
                    isCompressed: isFirst
                )
                let outcome = part.withUnsafeBytes { assembler.consume(head, payload: $0, isASCII: false) }
                switch outcome {
                case .message(let kind):
                    #expect(size == 7 && kind == .init(isText: true, isCompressed: true))
                case .assembled(let buffer, let kind):
                    #expect(Array(buffer.readableBytesView) == bytes && kind == .init(isText: true, isCompressed: true))
                case .incomplete: #expect(!rest.isEmpty)
                case .failure: Issue.record("refused with parts of \(size)")
                }
                isFirst = false
            }
        }
        // The next one is not, unless it says so.
        #expect(consume(&assembler, .text, [0xFF]) == .failure(.invalidUTF8))
    }

    @Test func `empty fragments are fragments`() {
        var assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .text, [], isFinal: false) == .incomplete)
        #expect(consume(&assembler, .continuation, [], isFinal: false) == .incomplete)
        #expect(consume(&assembler, .continuation, Array("a".utf8), isFinal: false) == .incomplete)
        #expect(consume(&assembler, .continuation, []) == .message("a", isText: true))
    }

    @Test func `a continuation needs a start, and a start ends nothing`() {
        var assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .continuation, []) == .failure(.protocolError))
        for opcode in [Opcode.text, .binary] {
            for isFinal in [true, false] {
                var assembler = MessageAssembler(maxMessage: 100)
                #expect(consume(&assembler, .text, [0x41], isFinal: false) == .incomplete)
                #expect(consume(&assembler, opcode, [0x41], isFinal: isFinal) == .failure(.protocolError))
            }
        }
    }

    @Test func `after a message the next one begins anew`() {
        var assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .text, [0xC3], isFinal: false) == .incomplete)
        #expect(consume(&assembler, .continuation, [0xA9]) == .message("é", isText: true))
        #expect(consume(&assembler, .continuation, [0xA9]) == .failure(.protocolError))
        #expect(consume(&assembler, .binary, [0xFF]) == .message("\u{FFFD}", isText: false))
    }

    @Test func `the bound is over all fragments`() {
        for opcode in [Opcode.text, .binary] {
            var assembler = MessageAssembler(maxMessage: 4)
            #expect(consume(&assembler, opcode, [0x41, 0x41], isFinal: false) == .incomplete)
            #expect(consume(&assembler, .continuation, [0x41, 0x41], isFinal: false) == .incomplete)
            #expect(consume(&assembler, .continuation, []) == .message("AAAA", isText: opcode == .text))
            #expect(consume(&assembler, opcode, [0x41, 0x41], isFinal: false) == .incomplete)
            #expect(consume(&assembler, .continuation, [0x41, 0x41, 0x41]) == .failure(.messageTooBig))
        }
    }

    @Test func `text that is not UTF-8 fails at the fragment that shows it`() {
        var assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .text, [0xC3]) == .failure(.invalidUTF8))
        #expect(consume(&assembler, .text, [0xFF]) == .failure(.invalidUTF8))
        #expect(consume(&assembler, .text, [0xE2, 0x82], isFinal: false) == .incomplete)
        #expect(consume(&assembler, .continuation, [0x41], isFinal: false) == .failure(.invalidUTF8))
        assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .text, [0xE2, 0x82], isFinal: false) == .incomplete)
        #expect(consume(&assembler, .continuation, []) == .failure(.invalidUTF8))
        assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .text, [0xED, 0xA0], isFinal: false) == .failure(.invalidUTF8))
        // What is not text may be anything.
        assembler = MessageAssembler(maxMessage: 100)
        #expect(consume(&assembler, .binary, [0xFF, 0xC3]) != .failure(.invalidUTF8))
    }
}
