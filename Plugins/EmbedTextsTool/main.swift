import Foundation

// EmbedTextsTool OUTPUT INPUT…: writes Swift code with each input as a raw string.

let paths = CommandLine.arguments.dropFirst()
guard let output = paths.first else { exit(64) }
var code = "enum EmbeddedTexts {\n"
for path in paths.dropFirst() {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let file = URL(fileURLWithPath: path).lastPathComponent
    let name = String(file.map { $0.isLetter || $0.isNumber ? $0 : "_" })
    // As many marks as it takes for nothing in the text to end the literal, or to be an escape in it.
    var marks = "#"
    while text.contains("\"\"\"" + marks) || text.contains("\\" + marks) { marks += "#" }
    code += "    static let \(name) = \(marks)\"\"\"\n\(text)\n\"\"\"\(marks)\n"
}
code += "}\n"
try code.write(toFile: output, atomically: true, encoding: .utf8)
