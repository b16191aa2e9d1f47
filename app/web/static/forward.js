// Sends a portal's answer on (OAuth 2.0 Form Post Response Mode). Without it, the page's button does.
document.querySelector("form[data-forward]").submit();
