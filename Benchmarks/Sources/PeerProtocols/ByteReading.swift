import Glibc

extension UnsafeRawBufferPointer {
    /// The text from `start` to the next line feed, without the carriage return before it, and where the next line
    /// begins; nil when there is no whole line.
    @inline(__always)
    func line(from start: Int) -> (text: UnsafeRawBufferPointer, next: Int)? {
        guard let base = baseAddress, start < count, let found = memchr(base + start, 10, count - start) else {
            return nil
        }
        let feed = UnsafeRawPointer(found) - base
        let end = feed > start && self[feed - 1] == UInt8(ascii: "\r") ? feed - 1 : feed
        return (UnsafeRawBufferPointer(rebasing: self[start..<end]), feed + 1)
    }

    /// The decimal number that the text is from `start` on; nil when it is none, or has more than nine digits.
    @inline(__always)
    func decimal(from start: Int = 0) -> Int? {
        guard start < count, count - start <= 9 else { return nil }
        var value = 0
        for byte in self[start...] {
            let digit = Int(byte) - 48
            guard (0...9).contains(digit) else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// As text, for what a server says of errors.
    var shortText: String { String(decoding: prefix(300), as: UTF8.self) }
}

/// What the input is, as far as a protocol has read it.
enum Reading {
    /// One thing was read; the next one begins there.
    case next(Int)
    /// More must come first.
    case incomplete
    /// The connection is at its end, and why.
    case closed(String)
}

/// The longest line that is waited for: servers have limits of a few kilobytes, and NATS' `INFO` is the longest.
let lineLimit = 64 << 10
