document.querySelector("#state").textContent = "The console is being built.";
