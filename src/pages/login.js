(function () {
    "use strict";
    var forwarded = JSON.parse(document.getElementById("forwarded").textContent);
    var form = document.querySelector("form");
    var button = form.querySelector("button");
    var problem = document.getElementById("problem");
    // An app may put its function here after the page has loaded.
    window.matrixLogin = window.matrixLogin || {};
    function failed(text) {
        problem.textContent = text;
        button.disabled = false;
        form.elements.password.focus();
    }
    form.addEventListener("submit", function (event) {
        event.preventDefault();
        problem.textContent = "";
        button.disabled = true;
        var body = Object.assign({}, forwarded, {
            type: "m.login.password",
            identifier: { type: "m.id.user", user: form.elements.user.value },
            password: form.elements.password.value,
        });
        fetch("/_matrix/client/v3/login", {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body),
        })
            .then(function (answer) {
                return answer.json().then(function (response) {
                    if (!answer.ok) {
                        failed(response.error || "Signing in did not work. Please try again.");
                        return;
                    }
                    form.remove();
                    document.getElementById("done").hidden = false;
                    document.querySelector("h1").textContent = "Signed in";
                    if (typeof window.matrixLogin.onLogin === "function") {
                        window.matrixLogin.onLogin(response);
                    }
                });
            })
            .catch(function () {
                failed("The server could not be reached. Please try again.");
            });
    });
})();
