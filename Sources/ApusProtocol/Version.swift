/// The version of Apus, as shown by `apus --version`, `/health` and the API docs.
package let apusVersion = "0.1.0"
