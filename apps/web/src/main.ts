import { createApp } from 'vue';
import App from './app.vue';
import { router } from './routes.js';
import { restoreSession } from './session/session.js';
import './styles/main.css';

// Whoever cannot be asked now is asked to sign in, and hears there why that fails.
await restoreSession().catch(() => undefined);
createApp(App).use(router).mount('#app');
