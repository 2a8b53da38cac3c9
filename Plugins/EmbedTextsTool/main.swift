import Foundation

// EmbedTextsTool OUTPUT FOLDER NAME…: writes Swift code with each file of the folder as a raw string.

let arguments = CommandLine.arguments.dropFirst()
guard let output = arguments.first, let folder = arguments.dropFirst().first else { exit(64) }
var code = "enum EmbeddedTexts {\n"
for file in arguments.dropFirst(2) {
    let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
    let name = String(file.map { $0.isLetter || $0.isNumber ? $0 : "_" })
    // As many marks as it takes for nothing in the text to end the literal, or to be an escape in it.
    var marks = "#"
    while text.contains("\"\"\"" + marks) || text.contains("\\" + marks) { marks += "#" }
    code += "    static let \(name) = \(marks)\"\"\"\n\(text)\n\"\"\"\(marks)\n"
}
code += "}\n"
try code.write(toFile: output, atomically: true, encoding: .utf8)
