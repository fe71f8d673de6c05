(function () {
    "use strict";
    var box = document.getElementById("captcha");
    var plain = document.getElementById("plain");
    plain.hidden = true;
    function byHand() {
        if (plain.isConnected) {
            plain.hidden = false;
            plain.querySelector("input").focus();
        }
    }
    window.captchaReady = function () {
        plain.remove();
        window.grecaptcha.render(box, { sitekey: box.dataset.sitekey });
    };
    var script = document.createElement("script");
    script.src = "https://www.recaptcha.net/recaptcha/api.js?onload=captchaReady&render=explicit";
    script.async = true;
    script.onerror = byHand;
    document.head.append(script);
    setTimeout(byHand, 4000);
})();
