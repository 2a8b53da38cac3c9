import ApusProtocol
import Testing

/// Strings and names are read in blocks of sixteen bytes where so many are left: what is found must not depend on where
/// in a block it lies, nor on how much text follows.
@Suite struct TextBoundaryTests {
    /// Behind the string: nothing but what must be there, or more than a block.
    private static let tails = ["}", #", "client_id":"more than sixteen bytes"}"#]
    private static let head = #"{"type":"ping","x":""#

    @Test(arguments: 0...100)
    func `a byte that ends plain text is found at every place`(length: Int) throws {
        for (place, tail) in Self.places(length: length) {
            let (before, after) = Self.plain(length, cutAt: place)
            let offset = Self.head.utf8.count + place
            let control = Scanned(Self.head + before + "\u{1F}" + after + "\"" + tail)
            let expected = "not valid JSON: a control character in a string must be escaped, at byte \(offset)"
            #expect(control.error?.message == expected)
            let escape = Scanned(Self.head + before + "\\q" + after + "\"" + tail)
            #expect(escape.error?.message == "not valid JSON: no such escape in a string, at byte \(offset + 1)")
            let quote = Scanned(Self.head + before + "\"" + after + "\"" + tail)
            #expect(quote.error?.message == "not valid JSON: unexpected character at byte \(offset + 1)")
        }
    }

    @Test(arguments: 0...100)
    func `what may stand in a string may stand at every place`(length: Int) {
        for (place, tail) in Self.places(length: length) {
            let (before, after) = Self.plain(length, cutAt: place)
            for part in ["\u{20}", "!", "[", "]", "\u{7F}", "é", "\u{10FFFF}", #"\""#, #"\\"#, #"\u0000"#] {
                let scanned = Scanned(Self.head + before + part + after + "\"" + tail)
                #expect(scanned.command?.kind == .ping, "\(part) at \(place) of \(length)")
            }
        }
    }

    @Test(arguments: 0...100)
    func `a string without an end is refused at the end of the text`(length: Int) {
        let text = Self.head + Self.plain(length, cutAt: length).before
        for rest in ["", "\\"] {
            let expected = "not valid JSON: it ends too early, at byte \((text + rest).utf8.count)"
            #expect(Scanned(text + rest).error?.message == expected)
        }
    }

    @Test(arguments: 1...100)
    func `a name keeps its place in the text, whatever its length`(length: Int) {
        let name = Self.plain(length, cutAt: length).before
        for tail in Self.tails {
            let scanned = Scanned(#"{"type":"unsubscribe","client_id":"c","topic":"\#(name)""# + tail)
            #expect(scanned.decoded(scanned.command?.topic) == name)
        }
    }

    private static func places(length: Int) -> [(place: Int, tail: String)] {
        tails.flatMap { tail in (0...length).map { ($0, tail) } }
    }

    /// Text without any special character, in two pieces.
    private static func plain(_ length: Int, cutAt place: Int) -> (before: String, after: String) {
        let letters = (0..<length).map { index in Character(Unicode.Scalar(UInt8(ascii: "a") + UInt8(index % 26))) }
        return (String(letters[..<place]), String(letters[place...]))
    }
}
