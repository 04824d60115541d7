import { createApp } from 'vue';
import App from './app.vue';
import { loadPage, router } from './routes.js';
import { restoreSession } from './session/session.js';
import './styles/main.css';

// While the server is asked who this is, the page's scripts come as well.
loadPage(window.location.pathname);
// Whoever cannot be asked now is asked to sign in, and hears there why that fails.
await restoreSession().catch(() => undefined);
createApp(App).use(router).mount('#app');
