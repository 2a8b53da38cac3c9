import Foundation

// EmbedTextsTool OUTPUT FOLDER NAME…: writes Swift code with each file of the folder as a raw string, and a table of
// them.

let arguments = CommandLine.arguments.dropFirst()
guard let output = arguments.first, let folder = arguments.dropFirst().first else { exit(64) }
var code = "enum EmbeddedTexts {\n"
var (names, cases) = ("", "")
for file in arguments.dropFirst(2) {
    let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
    let name = String(file.map { $0.isLetter || $0.isNumber ? $0 : "_" })
    // As many marks as it takes for nothing in the text to end the literal, or to be an escape in it.
    var marks = "#"
    while text.contains("\"\"\"" + marks) || text.contains("\\" + marks) { marks += "#" }
    names += "        \"\(file)\",\n"
    cases += "        case \"\(file)\": \(name)\n"
    code += "    static let \(name) = \(marks)\"\"\"\n\(text)\n\"\"\"\(marks)\n"
}
code += "    /// The paths of all files.\n    static let names = [\n\(names)    ]\n"
code += "    static func text(of name: String) -> String? {\n        switch name {\n\(cases)"
code += "        default: nil\n        }\n    }\n}\n"
try code.write(toFile: output, atomically: true, encoding: .utf8)
