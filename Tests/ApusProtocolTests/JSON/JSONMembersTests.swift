import Foundation
import Testing

@testable import ApusProtocol

/// The walk over members, against Foundation's parser.
@Suite struct JSONMembersTests {
    /// A value as the walk finds it, or as Foundation has it.
    private indirect enum Value: Equatable {
        case null
        case boolean(Bool)
        case number(Double)
        /// As scalars: strings compare equal when only their normal forms do.
        case string([Unicode.Scalar])
        case array([Value])
        case object([[Unicode.Scalar]: Value])

        init?(_ token: JSONToken, in bytes: UnsafeRawBufferPointer) {
            let text = String(decoding: bytes[token.range], as: UTF8.self)
            switch token.kind {
            case .absent:
                return nil
            case .null:
                self = .null
            case .boolean:
                self = .boolean(text == "true")
            case .integer, .fraction:
                guard let number = Double(text) else { return nil }
                self = .number(number)
            case .string, .escapedString, .uuid:
                guard let string = token.text?.string(in: bytes) else { return nil }
                self = .string(Array(string.unicodeScalars))
            case .array:
                var values: [Value] = []
                guard var elements = JSONMembers(of: token, in: bytes) else { return nil }
                while let (name, element) = elements.next() {
                    guard name == .empty, let value = Value(element, in: bytes) else { return nil }
                    values.append(value)
                }
                self = .array(values)
            case .object:
                var values: [[Unicode.Scalar]: Value] = [:]
                guard var members = JSONMembers(of: token, in: bytes) else { return nil }
                while let (name, member) = members.next() {
                    guard let key = name.string(in: bytes), let value = Value(member, in: bytes) else { return nil }
                    values[Array(key.unicodeScalars)] = value
                }
                self = .object(values)
            }
        }

        init?(foundation any: Any) {
            switch any {
            case is NSNull:
                self = .null
            case let number as NSNumber:
                // Only its type tells true from 1.
                let isBoolean = ["c", "B"].contains(String(cString: number.objCType))
                self = isBoolean ? .boolean(number.boolValue) : .number(number.doubleValue)
            case let text as String:
                self = .string(Array(text.unicodeScalars))
            case let array as [Any]:
                self = .array(array.compactMap { Value(foundation: $0) })
            case let object as [String: Any]:
                let members = object.map { (Array($0.unicodeScalars), Value(foundation: $1) ?? .null) }
                self = .object(Dictionary(members) { first, _ in first })
            default:
                return nil
            }
        }
    }

    private func walk(_ text: String) -> Value? {
        Array(text.utf8).withUnsafeBytes { Value(JSONMembers.root(of: $0), in: $0) }
    }

    /// Whether an object has a name twice: then the parsers may differ in which value they keep.
    private func hasDoubleNames(_ value: String) -> Bool {
        Array(value.utf8).withUnsafeBytes { bytes in
            func check(_ token: JSONToken) -> Bool {
                // Strings, as Foundation's dictionaries take names of one normal form for the same.
                var names: Set<String> = []
                guard var members = JSONMembers(of: token, in: bytes) else { return false }
                while let (name, member) = members.next() {
                    if token.kind == .object {
                        let key = name.string(in: bytes) ?? ""
                        if !names.insert(key).inserted { return true }
                    }
                    if check(member) { return true }
                }
                return false
            }
            return check(JSONMembers.root(of: bytes))
        }
    }

    @Test(arguments: 0..<6)
    func `random documents are walked as Foundation reads them`(seed: Int) throws {
        var json = RandomJSON(seed: UInt64(1000 + seed))
        var compared = 0
        for round in 0..<800 {
            let document = json.space() + json.value(depth: 5) + json.space()
            #expect(JSONDocument.isValid(document), "seed \(seed), round \(round): \(document)")
            guard !hasDoubleNames(document) else { continue }
            compared += 1
            let parsed = try JSONSerialization.jsonObject(with: Data(document.utf8), options: .fragmentsAllowed)
            #expect(walk(document) == Value(foundation: parsed), "seed \(seed), round \(round): \(document)")
        }
        #expect(compared > 500, "seed \(seed)")
    }

    @Test func `members and elements come in their order, with every kind of value`() throws {
        let text =
            #" {"a" : 1 ,"b":-2.5e3, "":[ ] ,"c":{}, "d\n":"x\"y","e":true,"f":false,"g":null , "a":[1,"]",{"}":0}]} "#
        let found = try Array(text.utf8).withUnsafeBytes { bytes in
            var members = try #require(JSONMembers(of: JSONMembers.root(of: bytes), in: bytes))
            var found: [String] = []
            while let (name, value) = members.next() {
                let raw = String(decoding: bytes[value.range], as: UTF8.self)
                found.append("\(name.string(in: bytes) ?? "?")=\(value.kind):\(raw)")
            }
            #expect(members.next() == nil)
            return found
        }
        #expect(
            found == [
                "a=integer:1", "b=fraction:-2.5e3", "=array:[ ]", "c=object:{}",
                #"d"# + "\n" + #"=escapedString:"x\"y""#,
                "e=boolean:true", "f=boolean:false", "g=null:null", #"a=array:[1,"]",{"}":0}]"#,
            ]
        )
    }

    @Test(arguments: ["1", #""x""#, "true", "null", ""])
    func `what is no container has no members`(text: String) {
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(JSONMembers(of: JSONMembers.root(of: bytes), in: bytes) == nil)
        }
    }

    @Test func `a deep document is walked without recursion into what is passed over`() {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        Array(#"{"a":\#(deep),"b":2}"#.utf8).withUnsafeBytes { bytes in
            var members = JSONMembers(of: JSONMembers.root(of: bytes), in: bytes)
            #expect(members?.next()?.value.range.count == 200_000)
            #expect(members?.next()?.value.kind == .integer)
        }
    }
}

extension JSONDocument {
    fileprivate static func isValid(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { isValid($0) }
    }
}
